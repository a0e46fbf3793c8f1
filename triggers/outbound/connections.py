"""Connections that the guard has let through, and what is known of a request on its way.

The client has hooks for tracing; they cost every request several calls, and know nothing of TLS. So its connector
and its protocol are extended where they make a connection, read, and find an answer's head.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from triggers.outbound.addresses import OWN_SINK_NETWORKS, Network
from triggers.outbound.errors import Timing
from triggers.outbound.guard import EVERYWHERE, Guard, LookUp, MakeSocket, Names, also_allowed, is_literal
from triggers.outbound.routes import DIRECT
from triggers.outbound.tls import tls_context

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

MOST_INTERIM_ANSWERS = 20  # 100 Continue, 103 Early Hints

# Idle connections are kept this long, in seconds: enough for a herd and for a trigger that fires every second,
# and below the 2 and 5 s after which usual servers close theirs (a POST sent just then would be lost).
_KEPT_OPEN = 1.5
# Seconds that a look-up is remembered: connections that are opened together ask the name servers once.
_NAME_KEPT = 1


class Passage:
    """What is known of one request on its way: how far it came, and when (monotonic seconds; None: not yet)."""

    # Slots, and no dataclass: this is made, and written to, with every request.
    __slots__ = (
        *("opened_at", "resolving_at", "resolved_at", "connected_at", "sent_at", "first_byte_at", "last_byte_at"),
        *("has_head", "interim_answers", "protocol", "transport", "remote_address", "is_to_own_sink"),
    )

    def __init__(self, is_to_own_sink: bool = False) -> None:
        self.is_to_own_sink = is_to_own_sink
        self.opened_at: float | None = None  # a new connection was begun; stays None with one that was open already
        self.resolving_at: float | None = None
        self.resolved_at: float | None = None
        self.connected_at: float | None = None
        self.sent_at: float | None = None  # the connection was ready, TLS and all
        self.first_byte_at: float | None = None
        self.last_byte_at: float | None = None
        self.has_head = False
        self.interim_answers = 0
        self.protocol: Protocol | None = None
        self.transport: asyncio.Transport | None = None
        self.remote_address = ""

    def take(self, protocol: Protocol) -> None:
        """The request goes out on this connection."""
        self.protocol, self.transport = protocol, protocol.transport
        self.remote_address = protocol.remote_address
        protocol.passage = self
        self.sent_at = monotonic()

    def end(self, is_whole: bool) -> None:
        """Let go of the connection; one whose answer was not read to its end is of no use to others."""
        if self.protocol is not None:  # one without answers in store counts as false
            self.protocol.passage = None
        if not is_whole:
            self.drop_connection()

    def drop_connection(self) -> None:
        # Not closed: a closing TLS connection waits for the other side to say goodbye.
        if self.transport:
            self.transport.abort()

    def timing(self, is_tls: bool) -> Timing:
        sent, first = self.sent_at, self.first_byte_at
        first_byte_ms = (first - sent) * 1000 if first and sent else None
        body_ms = (monotonic() - first) * 1000 if first and self.has_head else None
        if self.opened_at is None:
            return Timing(None, None, None, first_byte_ms, body_ms)
        return Timing(
            _between(self.resolving_at, self.resolved_at),
            _between(self.resolved_at or self.opened_at, self.connected_at),
            _between(self.connected_at, sent) if is_tls else None,
            first_byte_ms,
            body_ms,
        )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else (end - start) * 1000


# The passage that this task is at; the client has no place to hand it through.
PASSAGE: ContextVar[Passage | None] = ContextVar("passage", default=None)


class Protocol(ResponseHandler):
    """The client's own, which also notes when an answer comes, and ends one that only ever begins.

    The client itself bounds the headers (and trailers) of an answer; of a body no more is read than asked for.
    """

    __slots__ = ("passage", "remote_address")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.passage: Passage | None = None
        self.remote_address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")  # asked now: a connection that is lost does not tell
        self.remote_address = str(peer[0]) if peer else ""

    def _reschedule_timeout(self) -> None:
        """The client calls it for all that comes in, to put off a time limit that we do not use."""
        passage = self.passage
        if passage is not None:
            passage.last_byte_at = now = monotonic()
            if passage.first_byte_at is None:
                passage.first_byte_at = now

    def start_timeout(self) -> None:
        """The request is written; there is no time limit to begin (the deadline lies over everything)."""

    def feed_data(self, data: Any, size: int = 0) -> None:
        passage = self.passage
        if passage is not None:
            if not 100 <= data[0].code < 200 or data[0].code == 101:
                passage.has_head = True
            else:
                passage.interim_answers += 1
                if passage.interim_answers > MOST_INTERIM_ANSWERS:
                    passage.drop_connection()
                    return
        ResponseHandler.feed_data(self, data, size)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        body = self._payload
        cause = exc if exc_cause is None else exc_cause
        super().set_exception(exc, cause)
        # The client tells only those who wait for a head when it cannot read on.
        if isinstance(exc, HttpProcessingError) and body is not None and not body.is_eof():
            body.set_exception(exc, cause)


class Connector(aiohttp.TCPConnector):
    """Connections that the guard has let through."""

    def __init__(
        self,
        allowed: Sequence[Network],
        own_sinks: Sequence[str],
        connections: int,
        look_up: LookUp,
        make_socket: MakeSocket,
    ) -> None:
        self.own_sinks = tuple(own_sinks)
        self.guard = Guard(allowed, make_socket)
        self.names = Names(self.guard, look_up, connections)
        super().__init__(
            limit=connections,
            socket_factory=self.guard,
            resolver=self.names,
            ttl_dns_cache=_NAME_KEPT,
            keepalive_timeout=_KEPT_OPEN,
            ssl=tls_context(DIRECT),
        )
        self._factory = partial(_begin_protocol, self._loop)

    async def close(self, *, abort_ssl: bool = False) -> None:
        await super().close(abort_ssl=abort_ssl)
        await self.names.close()

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        if req.proxy:
            await self._check_target(req)
            connection = await super().connect(req, traces, timeout)
        else:
            # What the client's own does first, too; here an open connection costs no further call.
            found = await self._get(req.connection_key, traces)
            connection = await super().connect(req, traces, timeout) if found is None else found
        if (passage := PASSAGE.get()) and isinstance(connection.protocol, Protocol):
            passage.take(connection.protocol)
        return connection

    async def _check_target(self, req: ClientRequest) -> None:
        """Refuse a request that the proxy would carry where this server does not deliver to."""
        passage = PASSAGE.get() or Passage()
        passage.resolving_at = monotonic()
        try:
            await self.names.check(req.host)
            passage.resolved_at = monotonic()
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        if passage := PASSAGE.get():
            passage.opened_at = monotonic()
        if not req.proxy and not (passage and passage.is_to_own_sink):
            return await super()._create_connection(req, traces, timeout)
        # A proxy was set by an administrator: wherever it is.
        with also_allowed(EVERYWHERE if req.proxy else OWN_SINK_NETWORKS):
            return await super()._create_connection(req, traces, timeout)

    async def _resolve_host(self, host: str, port: int, traces: Sequence[Trace] | None = None) -> list[ResolveResult]:
        passage = PASSAGE.get()
        if passage:
            passage.resolving_at = monotonic()
        if passage and passage.is_to_own_sink and not is_literal(host):
            # Neither from the memory nor into it: what is refused and what is found here is for this request only.
            found = await self.names.resolve(host, port)
        else:
            found = await super()._resolve_host(host, port, traces)
        if passage:
            if found[0]["host"] == host:
                passage.resolving_at = None  # an address: nobody was asked
            else:
                passage.resolved_at = monotonic()
        return found

    async def certificate_end(self, host: str, port: int, context: ssl.SSLContext) -> datetime | None:
        """Return when the certificate shown there ended, or None when it is another one that has ended.

        A failed handshake does not tell; so this is a second one, with a context that checks all but the time, and
        sends nothing.
        """
        found = (await self.names.resolve(host, port))[0]
        address = (found["host"], port)
        made = self.guard((found["family"], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address))
        with made:
            made.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(made, address)
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=made, ssl=context, server_hostname=host)
            shown = transport.get_extra_info("peercert")
            transport.abort()
        end = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
        return end if end < datetime.now(UTC) else None


def _begin_protocol(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    """Called when a connection stands: before TLS begins, and again when a proxy has opened a tunnel."""
    if passage := PASSAGE.get():
        passage.connected_at = monotonic()
    return Protocol(loop)
