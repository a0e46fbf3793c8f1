"""What went wrong, in words: what happened, and what to do."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, LineTooLong, TransferEncodingError
from yarl import URL

from triggers.outbound.connections import Body, Connector
from triggers.outbound.errors import ErrorKind, OutboundError
from triggers.outbound.guard import Blocked

LARGEST_HEADER = 8190  # bytes of one header of an answer; more is no answer

_LOOK_AT_CERTIFICATE = 1.0  # seconds


def too_late(sent: Body, response: aiohttp.ClientResponse | None, url: str, timeout_seconds: float) -> OutboundError:
    within = f"within {timeout_seconds:g} s"
    if response:
        return OutboundError(ErrorKind.TIMEOUT, f"The answer did not end {within}.", sent.remote_address)
    if sent.transport:
        return OutboundError(ErrorKind.TIMEOUT, f"No answer {within}.", sent.remote_address)
    return OutboundError(
        ErrorKind.CONNECT_TIMEOUT, f"No connection to {_where(url)} {within}. Check that it is up, and any firewall."
    )


def translated(error: Exception, sent: Body, response: aiohttp.ClientResponse | None, url: str) -> OutboundError:
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
        case Blocked():
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


async def bad_certificate(
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
    if isinstance(session.connector, Connector):
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
