"""HTTP to the outside, through the address guard.

No request leaves for an address that is not public, unless the settings name its network: the guard sits where
the socket is made and sees the very address that is connected to, so neither a literal address, nor a name
that resolves to something else the second time, goes past it. Redirects are not followed, cookies and the
proxies of the environment are not used. A deadline by the monotonic clock lies over everything, from the look-up
of the name to the last byte read; and no more is read than asked for.

    OutboundError   no (whole) answer came; `kind` says why, and its text says it to people
    Answer          one came, whatever its status
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, LineTooLong, TransferEncodingError
from yarl import URL

Network = IPv4Network | IPv6Network

LONGEST_URL = 2000  # characters
MOST_HEADERS = 100  # of an answer; more is no answer
LARGEST_HEADER = 8190  # bytes of one header of an answer; more is no answer
KEPT_HEADERS = 16 * 1024  # characters; what an answer has beyond is left out

# Idle connections are kept this long, in seconds: enough for a herd and for a trigger that fires every second,
# and below the 2 and 5 s after which usual servers close theirs (a POST sent just then would be lost).
_KEPT_OPEN = 1.5
# Seconds that a look-up is remembered: connections that are opened together ask the name servers once.
_NAME_KEPT = 1
_LOOK_AT_CERTIFICATE = 1.0  # seconds
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name

_PRIVATE = "on a private network"
_SELF = "this machine itself"
_LINK_LOCAL = "a link-local address"
_NOT_PUBLIC = "not a public address"
# Which addresses are not public, and why: the IANA special-purpose registries, as far as they are not to be
# reached from a server (RFC 6890 and its successors). Python's own `is_global` lets several through.
_DENIED_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", _SELF),
        ("10.0.0.0/8", _PRIVATE),
        ("100.64.0.0/10", _PRIVATE),
        ("127.0.0.0/8", _SELF),
        ("169.254.0.0/16", _LINK_LOCAL),
        ("172.16.0.0/12", _PRIVATE),
        ("192.0.0.0/24", _NOT_PUBLIC),
        ("192.0.2.0/24", _NOT_PUBLIC),
        ("192.88.99.0/24", _NOT_PUBLIC),
        ("192.168.0.0/16", _PRIVATE),
        ("198.18.0.0/15", _NOT_PUBLIC),
        ("198.51.100.0/24", _NOT_PUBLIC),
        ("203.0.113.0/24", _NOT_PUBLIC),
        ("224.0.0.0/4", _NOT_PUBLIC),
        ("240.0.0.0/4", _NOT_PUBLIC),
    )
)
_DENIED_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/127", _SELF),
        ("fc00::/7", _PRIVATE),
        ("fe80::/10", _LINK_LOCAL),
        ("2001::/23", _NOT_PUBLIC),
        ("2001:db8::/32", _NOT_PUBLIC),
        ("2002::/16", _NOT_PUBLIC),
        ("3fff::/20", _NOT_PUBLIC),
    )
)
_PUBLIC_V6 = ip_network("2000::/3")

_PORTS = {"http": 80, "https": 443}
_NEVER_IN_A_URL = re.compile(r"[\s\x00-\x20\x7f-\xa0\\\ud800-\udfff]")
_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)", re.ASCII | re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
_HOST_NAME = re.compile(r"(?=.{1,254}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
# A name that ends so is read as an IPv4 address by the C library: 127.1, 2130706433, 0x7f000001.
_NUMERIC_END = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$", re.ASCII)
# What RFC 3986 allows after the authority (and the brackets that everybody uses there).
_QUOTED = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*", re.ASCII)


class ErrorKind(StrEnum):
    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    TIMEOUT = "timeout"
    RESET = "reset"
    BLOCKED = "blocked"
    PROTOCOL = "protocol"


class OutboundError(Exception):
    """No (whole) answer came. The text is for people: what happened, and what to do.

    `remote_address` is where the request was sent to, or "" when no connection came about.
    """

    def __init__(self, kind: ErrorKind, words: str, remote_address: str = "") -> None:
        super().__init__(words)
        self.kind = kind
        self.remote_address = remote_address


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `body` is what was read of it, and `is_cut` says that there was more."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_cut: bool
    remote_address: str


# --- Which endpoint, which address -------------------------------------------------------------------


def checked_endpoint(url: str) -> str:
    """Return the endpoint as it will be used, which is as it was typed; raises ValueError with words.

    Only the form is checked here. Whether its address may be reached is decided when it is connected to.
    """
    _target(url)
    return url


def refusal(address: str, allowed: Sequence[Network]) -> str | None:
    """Return in words why nothing is delivered to this literal address, or None when it may be reached."""
    try:
        literal = ip_address(address.partition("%")[0])  # fe80::1%eth0
    except ValueError:
        return f"{address[:100]} is not an IP address that can be read."
    mapped = literal.ipv4_mapped if isinstance(literal, IPv6Address) else None
    meant = mapped or literal
    if any(meant in network or literal in network for network in allowed):
        return None
    why = _why_denied(meant)
    return why and (
        f"{address} is {why}, which this server does not deliver to. "
        "An administrator can allow it with DELIVERY_ALLOWED_NETWORKS."
    )


def _why_denied(address: IPv4Address | IPv6Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((why for network, why in _DENIED_V4 if address in network), None)
    why = next((why for network, why in _DENIED_V6 if address in network), None)
    # Of IPv6 only this block is given out to the public; what is not in it is odd, whatever it is.
    return why or (None if address in _PUBLIC_V6 else _NOT_PUBLIC)


@lru_cache(maxsize=1024)
def _target(url: str) -> URL:
    """Return the endpoint as the client wants it; raises ValueError with words."""
    if len(url) > LONGEST_URL:
        raise ValueError(f"Too long: at most {LONGEST_URL} characters are allowed.")
    if _NEVER_IN_A_URL.search(url):
        raise ValueError("Leave out spaces, control characters and backslashes.")
    if "#" in url:
        raise ValueError("Leave out the part from # on: it is never sent.")
    parts = _URL.fullmatch(url)
    if not parts:
        raise ValueError("Use an address that begins with http:// or https://.")
    scheme, authority, rest = parts.groups()
    if "@" in authority:
        raise ValueError("Leave out the user name and password before the @.")
    host_and_port = _AUTHORITY.fullmatch(authority)
    if not host_and_port:
        raise ValueError("Use a host name or an IP address, and a port if need be: https://example.com:8443/hook.")
    host, port = host_and_port.groups()
    if port and not 1 <= int(port) <= 65535:
        raise ValueError("Use a port from 1 to 65535.")
    # What is in order goes out as typed: the client's own quoting would change signed URLs.
    is_quoted = bool(_QUOTED.fullmatch(rest)) and host.isascii()
    name = _checked_host(host) if host.isascii() else None
    try:
        target = URL(url, encoded=is_quoted)
        read_host, read_port = target.host_subcomponent or "", target.port
    except ValueError:
        raise ValueError("This address cannot be read. Write the host in plain letters.") from None
    if (name or read_host, int(port) if port else _PORTS[scheme.lower()]) != (_checked_host(read_host), read_port):
        raise ValueError("This address can be read in more than one way. Write the host in plain letters.")
    return target


def _checked_host(host: str) -> str:
    """Return the host in its one spelling, an IPv6 address without brackets; raises ValueError with words."""
    host = host.lower()
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError("Use an IPv6 address that can be read, such as [2001:db8::7].") from None
    if _NUMERIC_END.search(host):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise ValueError("Write an IPv4 address as four numbers from 0 to 255, such as 192.0.2.7.") from None
    if not _HOST_NAME.fullmatch(host):
        raise ValueError("Use a host name of letters, digits, dots and hyphens, such as example.com.")
    return host


# --- The guard ---------------------------------------------------------------------------------------


class _Blocked(OSError):
    """The guard refuses an address; an OSError, because only those pass through the client."""


class _Guard:
    """Makes the sockets of connections, and none to an address that may not be reached."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self.allowed = tuple(allowed)

    def __call__(self, addr_info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = addr_info
        if words := refusal(str(address[0]), self.allowed):
            raise _Blocked(words)
        return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    """Looks names up, in threads of its own: a name server that hangs must not hold up other work.

    Blocked addresses are left out already here, so that the words are those of the addresses that were tried;
    the guard looks at each again.
    """

    def __init__(self, guard: _Guard, threads: int) -> None:
        self._guard = guard
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)
        refusals = [refusal(each["host"], self._guard.allowed) for each in found]
        reachable = [each for each, words in zip(found, refusals, strict=True) if not words]
        if not reachable:
            raise _Blocked(f"{host} leads to {found[0]['host']}. {refusals[0]}")
        return reachable

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:  # a label that no name server would take
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=each_family,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for each_family, _, protocol, _, address in found
    ]


class _Connector(aiohttp.TCPConnector):
    """Connections that the guard has let through."""

    def __init__(self, allowed: Sequence[Network], connections: int) -> None:
        self.guard = _Guard(allowed)
        self.names = _Resolver(self.guard, connections)
        super().__init__(
            limit=connections,
            socket_factory=self.guard,
            resolver=self.names,
            ttl_dns_cache=_NAME_KEPT,
            keepalive_timeout=_KEPT_OPEN,
            ssl=_tls(),
        )

    async def close(self, *, abort_ssl: bool = False) -> None:
        await super().close(abort_ssl=abort_ssl)
        await self.names.close()

    async def certificate_end(self, host: str, port: int) -> datetime | None:
        """Return when the certificate shown there ended, or None when it is another one that has ended.

        A failed handshake does not tell; so this is a second one, which checks all but the time, and sends nothing.
        """
        context = _tls()
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


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


# --- Sending -----------------------------------------------------------------------------------------


class _Body(aiohttp.BytesPayload):
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


def open_session(allowed: Sequence[Network], connections: int = 32) -> aiohttp.ClientSession:
    """Return the session that `send` wants, with at most so many connections at once; close it when done.

    Call it where a loop runs. `allowed` are networks that may be reached although they are not public.
    """
    return aiohttp.ClientSession(
        connector=_Connector(allowed, connections),
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
    sent = _Body(body)
    response: aiohttp.ClientResponse | None = None
    is_whole = False
    try:
        target = _target(url)
        async with asyncio.timeout_at(deadline):
            response = await session.post(target, data=sent, headers=headers, allow_redirects=False)
            content, is_whole = await _read(response.content, body_limit)
    except TimeoutError as error:
        raise _too_late(sent, response, url, timeout_seconds) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise await _bad_certificate(session, error, deadline) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _translated(error, sent, response, url) from error
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


# --- What went wrong, in words -----------------------------------------------------------------------


def _too_late(sent: _Body, response: aiohttp.ClientResponse | None, url: str, timeout_seconds: float) -> OutboundError:
    within = f"within {timeout_seconds:g} s"
    if response:
        return OutboundError(ErrorKind.TIMEOUT, f"The answer did not end {within}.", sent.remote_address)
    if sent.transport:
        return OutboundError(ErrorKind.TIMEOUT, f"No answer {within}.", sent.remote_address)
    return OutboundError(
        ErrorKind.CONNECT_TIMEOUT, f"No connection to {_where(url)} {within}. Check that it is up, and any firewall."
    )


def _translated(error: Exception, sent: _Body, response: aiohttp.ClientResponse | None, url: str) -> OutboundError:
    """Return the error of the client as ours."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return _no_connection(error.os_error, error.host, f"{error.host}:{error.port}")
    if isinstance(error.__cause__, ssl.SSLError):  # such as a client certificate that is missed after the handshake
        return OutboundError(ErrorKind.TLS, f"TLS failed: {_cleaned(error.__cause__)}.", sent.remote_address)
    if unreadable := _unreadable(error):
        return OutboundError(
            ErrorKind.PROTOCOL, f"The answer is not HTTP that can be read: {_cleaned(unreadable)}.", sent.remote_address
        )
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | OSError):
        until = "the answer was complete" if response else "it answered"
        return OutboundError(
            ErrorKind.RESET, f"{_where(url)} closed the connection before {until}.", sent.remote_address
        )
    return OutboundError(ErrorKind.PROTOCOL, f"The request cannot be sent: {_cleaned(error)}.")


def _no_connection(cause: OSError, host: str, where: str) -> OutboundError:
    match cause:
        case _Blocked():
            return OutboundError(ErrorKind.BLOCKED, str(cause))
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return OutboundError(ErrorKind.DNS, f"Could not find {host}: the name server gave no answer.")
        case socket.gaierror():
            return OutboundError(ErrorKind.DNS, f"Could not find {host}. Check the name.")
        case ssl.SSLError():
            return OutboundError(
                ErrorKind.TLS, f"{where} does not speak HTTPS as it should: {_cleaned(cause.reason or cause)}."
            )
        case OSError(errno=errno.ECONNREFUSED):
            return OutboundError(ErrorKind.REFUSED, f"{where} refused the connection. Check that it is up.")
        case OSError(errno=errno.ETIMEDOUT):
            return OutboundError(
                ErrorKind.CONNECT_TIMEOUT, f"No connection to {where}. Check that it is up, and any firewall."
            )
        case OSError(errno=errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED) | ConnectionError():
            return OutboundError(ErrorKind.RESET, f"{where} closed the connection before it answered.")
    return OutboundError(ErrorKind.UNREACHABLE, f"{where} cannot be reached: {_cleaned(cause.strerror or cause)}.")


async def _bad_certificate(
    session: aiohttp.ClientSession, error: aiohttp.ClientConnectorCertificateError, deadline: float
) -> OutboundError:
    fault = error.certificate_error
    code = getattr(fault, "verify_code", None)
    if code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        words = await _expired(session, error.host, error.port or 443, deadline)
    elif code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        words = f"The certificate is not for {error.host}. Check the name, or renew the certificate with it."
    elif code in (18, 19, 20, 21):  # self-signed, or no chain to a known authority
        words = f"The certificate of {error.host} is not signed by an authority that this server knows."
    else:
        words = f"The certificate of {error.host} is not valid: {_cleaned(getattr(fault, 'verify_message', fault))}."
    return OutboundError(ErrorKind.TLS, words)


async def _expired(session: aiohttp.ClientSession, host: str, port: int, deadline: float) -> str:
    """Return "Certificate expired on 3 Mar", with the day if it can be had in time."""
    now = asyncio.get_running_loop().time()
    end = None
    if isinstance(session.connector, _Connector):
        with suppress(OSError, aiohttp.ClientError):
            async with asyncio.timeout_at(min(deadline, now + _LOOK_AT_CERTIFICATE)):
                end = await session.connector.certificate_end(host, port)
    if not end:
        return f"A certificate of {host} has expired. Renew it there."
    year = "" if end.year == datetime.now(UTC).year else f" {end.year}"
    return f"Certificate expired on {end.day} {end:%b}{year}. Renew it on {host}."


def _unreadable(error: BaseException) -> str | None:
    """Return what the parser said when the answer broke the rules of HTTP, else None."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ContentLengthError | TransferEncodingError):
            return None  # it only broke off
        if isinstance(cause, LineTooLong):
            return f"A header is longer than {LARGEST_HEADER} bytes"
        if isinstance(cause, HttpProcessingError):
            return cause.message
        cause = cause.__cause__
    return None


def _cleaned(error: object) -> str:
    """Return the first line of a text that the other side may have had a part in, printable and short."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].encode("ascii", "backslashreplace").decode()[:200].rstrip(":. ")


def _where(url: str) -> str:
    target = URL(url)
    return f"{target.host}:{target.port}"
