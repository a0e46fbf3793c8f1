"""One request goes out, and an answer comes back, or an error that says why none did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, istr

from triggers.outbound.addresses import Network, client_url, is_own_sink
from triggers.outbound.answers import Answer, location, read_headers
from triggers.outbound.connections import PASSAGE, Connector, Passage
from triggers.outbound.errors import ErrorKind, OutboundError
from triggers.outbound.failures import LARGEST_HEADER, certificate_refused, too_late, translated
from triggers.outbound.guard import LookUp, MakeSocket, ask_name_servers, plain_socket
from triggers.outbound.routes import DIRECT, Route
from triggers.outbound.tls import tls_context

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MOST_HEADERS = 100  # of an answer; more is no answer

# In small letters. They belong to the connection and to the form of the message, which are the client's.
KEPT_FOR_THE_CLIENT = frozenset(
    (
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer"),
        *("expect", "proxy-connection", "proxy-authorization"),
    )
)
_KEPT = tuple(map(istr, KEPT_FOR_THE_CLIENT))  # as the client's headers are asked fastest
_CONTENT_TYPE = istr("Content-Type")


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out: just these headers, and what HTTP wants (Host, Content-Length, Accept, a User-Agent)."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    body: bytes | None = None  # None: without a body, and for GET, HEAD and OPTIONS without a length
    route: Route = DIRECT


def open_session(
    allowed: Sequence[Network],
    connections: int = 32,
    *,
    own_sinks: Sequence[str] = (),
    look_up: LookUp = ask_name_servers,
    make_socket: MakeSocket = plain_socket,
) -> aiohttp.ClientSession:
    """Return the session that `send` wants, with at most so many connections at once; close it when done.

    Call it where a loop runs. `allowed` are networks that may be reached although they are not public. `own_sinks` are
    the addresses of this server's test receivers ("http://127.0.0.1:8000/sink/"): with a token after it, and nothing
    else, such a one may be reached on this machine or a private network, and always directly. `look_up` finds
    addresses of names, `make_socket` makes the sockets that the guard has let through.
    """
    session = aiohttp.ClientSession(
        connector=Connector(allowed, own_sinks, connections, look_up, make_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        request_class=_PlainRequest,
        headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "EventTriggerPlatform"},
        timeout=aiohttp.ClientTimeout(),  # none of the client's own: one deadline lies over everything
        max_line_size=LARGEST_HEADER,
        max_field_size=LARGEST_HEADER,
        max_headers=MOST_HEADERS,
    )
    # It would send a GET, PUT or DELETE again by itself when the connection breaks; one attempt is one request.
    session._retry_connection = False
    return session


async def send(session: aiohttp.ClientSession, request: Request, *, timeout_seconds: float, body_limit: int) -> Answer:
    """Send it and return the answer, whatever its status; raises OutboundError and nothing else.

    At most `body_limit` bytes of the answer's body are read. It ends within `timeout_seconds`, a wait for one of the
    session's connections included: start no more sends at once than the session has connections.
    """
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    is_own = isinstance(session.connector, Connector) and is_own_sink(request.url, session.connector.own_sinks)
    route = replace(request.route, proxy="") if is_own else request.route
    passage = Passage(is_own)
    PASSAGE.set(passage)
    response: aiohttp.ClientResponse | None = None
    is_whole = False
    try:
        target = client_url(request.url)
        headers = CIMultiDict(request.headers)
        _check(request.method, headers)
        async with asyncio.timeout_at(deadline):
            response = await session.request(
                request.method,
                target,
                data=None if request.body is None else aiohttp.BytesPayload(request.body),
                headers=headers,
                skip_auto_headers=None if _CONTENT_TYPE in headers else (_CONTENT_TYPE,),
                allow_redirects=False,
                proxy=route.proxy or None,
                ssl=tls_context(route) if target.scheme == "https" else True,
                # With a name given, which is the one it has anyway, its connections are kept apart: what the guard
                # lets through to a test receiver must carry no request to another path of the same host.
                server_hostname=target.raw_host if is_own else None,
            )
            content, is_whole = await _read(response.content, body_limit)
            if response.status == 101:  # the client holds the connection for another protocol, which we do not speak
                is_whole = False
    except TimeoutError as error:
        raise too_late(passage, request.url, timeout_seconds) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise await certificate_refused(session, error, route, passage, deadline) from error
    except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
        raise translated(error, passage, request.url, route) from error
    finally:
        passage.end(is_whole)
        if response and not is_whole:
            response.close()
    if response.status == 407 and route.proxy:
        raise OutboundError(
            ErrorKind.PROXY,
            "The outbound proxy wants a user name and a password. An administrator can set them in OUTBOUND_PROXY.",
            passage.remote_address,
        )
    return Answer(
        response.status,
        read_headers(response.raw_headers),
        content,
        not is_whole,
        passage.remote_address,
        location(request.url, response.status, response.headers.get("Location")) if response.status >= 300 else "",
        passage.timing(target.scheme == "https"),
    )


def _check(method: str, headers: CIMultiDict[str]) -> None:
    """Raise ValueError on what must not go out."""
    if method not in METHODS:
        raise ValueError(f"use one of the methods {', '.join(METHODS)}")
    for name in _KEPT:
        if name in headers:
            raise ValueError(f"leave out the header {name}, which belongs to the connection")


class _PlainRequest(aiohttp.ClientRequest):
    """The client's own, without what has nothing to do here; so all that is measured on the way costs little more."""

    def update_headers(self, headers: Any) -> None:
        """Take them as they are; the client itself takes them one by one."""
        self.headers = CIMultiDict(((hdrs.HOST, self.url.host_port_subcomponent or ""),))
        self.headers.extend(headers or ())

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """All that are added by themselves are the session's."""
        if skip_auto_headers is not None:
            self._skip_auto_headers = CIMultiDict((name, None) for name in skip_auto_headers)

    def update_cookies(self, cookies: Any) -> None:
        """None are kept, so none are sent; one of the caller's is a header like others."""

    def update_content_encoding(self, data: Any) -> None:
        """Nothing is packed."""

    def update_auth(self, auth: Any, trust_env: bool = False) -> None:
        """No endpoint has a user name in it, and nothing of the environment is used."""

    def update_expect_continue(self, expect: bool = False) -> None:
        """The header Expect is refused."""


async def _read(content: aiohttp.StreamReader, limit: int) -> tuple[bytes, bool]:
    """Return the first `limit` bytes, and whether that is all there is."""
    parts = []
    room = limit + 1
    while room > 0 and (part := await content.read(room)):
        parts.append(part)
        room -= len(part)
    return b"".join(parts)[:limit], room > 0
