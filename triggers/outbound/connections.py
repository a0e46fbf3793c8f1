"""Connections that the guard has let through."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from triggers.outbound.addresses import Network
from triggers.outbound.guard import Guard, Names
from triggers.outbound.tls import tls_context

# Idle connections are kept this long, in seconds: enough for a herd and for a trigger that fires every second,
# and below the 2 and 5 s after which usual servers close theirs (a POST sent just then would be lost).
_KEPT_OPEN = 1.5
# Seconds that a look-up is remembered: connections that are opened together ask the name servers once.
_NAME_KEPT = 1
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name


class Connector(aiohttp.TCPConnector):
    """Connections that the guard has let through."""

    def __init__(self, allowed: Sequence[Network], connections: int) -> None:
        self.guard = Guard(allowed)
        self.names = Names(self.guard, connections)
        super().__init__(
            limit=connections,
            socket_factory=self.guard,
            resolver=self.names,
            ttl_dns_cache=_NAME_KEPT,
            keepalive_timeout=_KEPT_OPEN,
            ssl=tls_context(),
        )

    async def close(self, *, abort_ssl: bool = False) -> None:
        await super().close(abort_ssl=abort_ssl)
        await self.names.close()

    async def certificate_end(self, host: str, port: int) -> datetime | None:
        """Return when the certificate shown there ended, or None when it is another one that has ended.

        A failed handshake does not tell; so this is a second one, which checks all but the time, and sends nothing.
        """
        context = tls_context()
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
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


class Body(aiohttp.BytesPayload):
    """The body of a request, which notes the connection that it is written to; None and "": none came about."""

    transport: asyncio.WriteTransport | None = None
    remote_address = ""

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if transport := writer.transport:
            self.transport = transport
            peer = transport.get_extra_info("peername")  # asked now: a connection that is lost does not tell
            self.remote_address = str(peer[0]) if peer else ""
        await super().write_with_length(writer, content_length)

    def drop_connection(self) -> None:
        # Not closed: a closing TLS connection waits for the other side to say goodbye.
        if self.transport:
            self.transport.abort()
