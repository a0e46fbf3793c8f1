"""One request goes out, and an answer comes back, or an error that says why none did."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from triggers.outbound.addresses import Network, client_url
from triggers.outbound.connections import Body, Connector
from triggers.outbound.failures import LARGEST_HEADER, bad_certificate, too_late, translated

MOST_HEADERS = 100  # of an answer; more is no answer
KEPT_HEADERS = 16 * 1024  # characters; what an answer has beyond is left out


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `body` is what was read of it, and `is_cut` says that there was more."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_cut: bool
    remote_address: str


def open_session(allowed: Sequence[Network], connections: int = 32) -> aiohttp.ClientSession:
    """Return the session that `send` wants, with at most so many connections at once; close it when done.

    Call it where a loop runs. `allowed` are networks that may be reached although they are not public.
    """
    return aiohttp.ClientSession(
        connector=Connector(allowed, connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "EventTriggerPlatform"},
        timeout=aiohttp.ClientTimeout(),  # none of the client's own: one deadline lies over everything
        max_line_size=LARGEST_HEADER,
        max_field_size=LARGEST_HEADER,
        max_headers=MOST_HEADERS,
    )


async def send(
    session: aiohttp.ClientSession,
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    timeout_seconds: float,
    body_limit: int,
) -> Answer:
    """POST `body` to `url` and return the answer, whatever its status; raises OutboundError and nothing else.

    At most `body_limit` bytes of the answer's body are read. It ends within `timeout_seconds`, a wait for one of the
    session's connections included: start no more sends at once than the session has connections.
    """
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    sent = Body(body)
    response: aiohttp.ClientResponse | None = None
    is_whole = False
    try:
        target = client_url(url)
        async with asyncio.timeout_at(deadline):
            response = await session.post(target, data=sent, headers=headers, allow_redirects=False)
            content, is_whole = await _read(response.content, body_limit)
    except TimeoutError as error:
        raise too_late(sent, response, url, timeout_seconds) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise await bad_certificate(session, error, deadline) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise translated(error, sent, response, url) from error
    finally:
        if not is_whole:
            sent.drop_connection()
            if response:
                response.close()
    return Answer(response.status, _read_headers(response.raw_headers), content, not is_whole, sent.remote_address)


async def _read(content: aiohttp.StreamReader, limit: int) -> tuple[bytes, bool]:
    """Return the first `limit` bytes, and whether that is all there is."""
    parts = []
    room = limit + 1
    while room > 0 and (part := await content.read(room)):
        parts.append(part)
        room -= len(part)
    return b"".join(parts)[:limit], room > 0


def _read_headers(raw: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Return them as text that every database stores, up to KEPT_HEADERS."""
    headers = []
    room = KEPT_HEADERS
    for name, value in raw:
        room -= len(name) + len(value)
        if room < 0:
            break
        headers.append((name.decode("ascii", "replace"), value.decode("utf-8", "replace")))
    return tuple(headers)
