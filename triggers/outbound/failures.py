"""What went wrong, in words: what happened, and what to do."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, LineTooLong, TransferEncodingError
from yarl import URL

from triggers.outbound.connections import MOST_INTERIM_ANSWERS, Connector, Passage
from triggers.outbound.errors import ErrorKind, OutboundError
from triggers.outbound.guard import Blocked
from triggers.outbound.routes import Route
from triggers.outbound.tls import BadCertificate, timeless_context

LARGEST_HEADER = 8190  # bytes of one header of an answer; more is no answer

_LOOK_AT_CERTIFICATE = 1.0  # seconds
_SILENCE = 1.0  # seconds without a byte, and a third of a shorter time: the answer has stopped


def _error(kind: ErrorKind, words: str, passage: Passage, url: str) -> OutboundError:
    return OutboundError(kind, words, passage.remote_address, passage.timing(url[:5].lower() == "https"))


# --- Too late ----------------------------------------------------------------------------------------


def too_late(passage: Passage, url: str, timeout_seconds: float) -> OutboundError:
    """Return the error of a request whose time is up, by how far it came."""
    within = f"within {timeout_seconds:g} s"
    if passage.last_byte_at is not None:
        if monotonic() - passage.last_byte_at > min(_SILENCE, timeout_seconds / 3):
            kind = ErrorKind.READ_TIMEOUT
            words = f"The answer began and did not end {within}: nothing more came. Look into the log of {_where(url)}."
        else:
            kind = ErrorKind.TOTAL
            words = (
                f"The answer did not end {within}: it was still coming. "
                "Let it answer shortly, and do what takes long afterwards."
            )
        return _error(kind, words, passage, url)
    if passage.sent_at is not None:
        words = f"No answer {within}. Let it answer at once, and do what takes long afterwards."
        return _error(ErrorKind.TIMEOUT, words, passage, url)
    return _error(*_not_connected(passage, url, within), passage, url)


def _not_connected(passage: Passage, url: str, within: str) -> tuple[ErrorKind, str]:
    if passage.resolving_at and not passage.resolved_at:
        host = URL(url).host
        return ErrorKind.DNS, f"Could not find {host} {within}: the name server gave no answer. Try again later."
    where = _where(url)
    if passage.opened_at is None:
        return ErrorKind.CONNECT_TIMEOUT, (
            f"No connection to {where} {within}: all of this server's were in use. Fire fewer events at a time."
        )
    if passage.connected_at:
        return ErrorKind.CONNECT_TIMEOUT, (
            f"No connection to {where} {within}: it was reached, and TLS did not come about. "
            "Check that it speaks HTTPS on this port."
        )
    return ErrorKind.CONNECT_TIMEOUT, f"No connection to {where} {within}. Check that it is up, and any firewall."


# --- No answer, or not the whole ---------------------------------------------------------------------


def translated(error: Exception, passage: Passage, url: str, route: Route) -> OutboundError:
    """Return the error of the client as ours."""
    return _error(*_kind_and_words(error, passage, url, route), passage, url)


def _kind_and_words(error: Exception, passage: Passage, url: str, route: Route) -> tuple[ErrorKind, str]:
    where = _where(url)
    if isinstance(error, BadCertificate):
        return ErrorKind.TLS, str(error)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _no_tunnel(error.status, where)
    if isinstance(error, aiohttp.ClientConnectorError):
        kind, words = _no_connection(error.os_error, error.host, f"{error.host}:{error.port}")
        is_at_proxy = isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientConnectorDNSError)
        if route.proxy and is_at_proxy:
            return ErrorKind.PROXY, f"The outbound proxy (OUTBOUND_PROXY) is not there. {words}"
        return kind, words
    if isinstance(error.__cause__, ssl.SSLError):  # such as a client certificate that is missed after the handshake
        return ErrorKind.TLS, _alert(error.__cause__, where)
    if excess := _excess(error, passage):
        return ErrorKind.TOO_LARGE, f"The answer is too large: {excess}. Check what answers at {where}."
    if unreadable := _unreadable(error):
        return ErrorKind.PROTOCOL, (
            f"The answer is not HTTP that can be read: {_cleaned(unreadable)}. "
            f"Check that a web server listens at {where}."
        )
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | OSError):
        until = "the answer was complete" if passage.has_head else "it answered"
        return ErrorKind.RESET, f"{where} closed the connection before {until}. Look into its log."
    return ErrorKind.PROTOCOL, f"The request cannot be sent: {_cleaned(error)}."


def _no_connection(cause: OSError, host: str, where: str) -> tuple[ErrorKind, str]:
    match cause:
        case Blocked():
            return ErrorKind.BLOCKED, str(cause)
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return ErrorKind.DNS, f"Could not find {host}: the name server gave no answer. Try again later."
        case socket.gaierror():
            return ErrorKind.DNS, f"Could not find {host}. Check the name."
        case ssl.SSLError():
            return ErrorKind.TLS, _handshake(cause, where)
        case OSError(errno=errno.ECONNREFUSED):
            return ErrorKind.REFUSED, f"{where} refused the connection. Check that it is up, and the port."
        case OSError(errno=errno.ETIMEDOUT):
            return ErrorKind.CONNECT_TIMEOUT, f"No connection to {where}. Check that it is up, and any firewall."
        case OSError(errno=errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED) | ConnectionError():
            return ErrorKind.RESET, f"{where} closed the connection before it answered. Look into its log."
    return ErrorKind.UNREACHABLE, (
        f"{where} cannot be reached: {_cleaned(cause.strerror or cause)}. Check the address and the network."
    )


def _no_tunnel(status: int, where: str) -> tuple[ErrorKind, str]:
    ways_out = {
        407: "An administrator can set its user name and password in OUTBOUND_PROXY.",
        403: "Have it allow this host and port.",
    }
    way_out = ways_out.get(status, "Check the endpoint, and the log of the proxy.")
    return ErrorKind.PROXY, f"The outbound proxy did not connect to {where}: it answered {status}. {way_out}"


# --- TLS ---------------------------------------------------------------------------------------------


def _handshake(cause: ssl.SSLError, where: str) -> str:
    reason = _cleaned(cause.reason or cause)
    if "ALERT" in reason:
        return (
            f"{where} refused the TLS handshake: {reason}. "
            "It may want a client certificate, or another version of TLS: look into its log."
        )
    way_out = (
        "Use http://, or the port that speaks HTTPS."
        if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
        else "Check that it speaks TLS 1.2 or newer."
    )
    return f"{where} does not speak HTTPS as it should: {reason}. {way_out}"


def _alert(cause: BaseException, where: str) -> str:
    reason = str(getattr(cause, "reason", "") or cause)
    if "CERTIFICATE" in reason:
        return (
            f"TLS failed: {where} did not take our client certificate ({_cleaned(reason)}). Give it one that it knows."
        )
    return f"TLS failed: {_cleaned(reason)}. Look into the log of {where}."


async def certificate_refused(
    session: aiohttp.ClientSession,
    error: aiohttp.ClientConnectorCertificateError,
    route: Route,
    passage: Passage,
    deadline: float,
) -> OutboundError:
    fault, host = error.certificate_error, error.host
    code = getattr(fault, "verify_code", None)
    if code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        words = await _expired(session, host, error.port or 443, route, deadline)
    elif code == 9:  # X509_V_ERR_CERT_NOT_YET_VALID
        words = f"The certificate of {host} is not valid yet. Check it, and the clock of this server."
    elif code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        words = f"The certificate is not for {host}. Check the name, or renew the certificate with it."
    elif code in (18, 19, 20, 21):  # self-signed, or no chain to a known authority
        words = (
            f"The certificate of {host} is not signed by an authority that this server knows. "
            "An administrator can name the authority in OUTBOUND_CA_FILE."
        )
    else:
        words = (
            f"The certificate of {host} is not valid: {_cleaned(getattr(fault, 'verify_message', fault))}. Renew it."
        )
    return OutboundError(ErrorKind.TLS, words, timing=passage.timing(True))


async def _expired(session: aiohttp.ClientSession, host: str, port: int, route: Route, deadline: float) -> str:
    """Return "Certificate expired on 3 Mar", with the day if it can be had in time."""
    now = asyncio.get_running_loop().time()
    end = None
    if isinstance(session.connector, Connector) and not route.proxy:
        with suppress(OSError, aiohttp.ClientError):
            async with asyncio.timeout_at(min(deadline, now + _LOOK_AT_CERTIFICATE)):
                end = await session.connector.certificate_end(host, port, timeless_context(route))
    if not end:
        return f"A certificate of {host} has expired. Renew it there."
    year = "" if end.year == datetime.now(UTC).year else f" {end.year}"
    return f"Certificate expired on {end.day} {end:%b}{year}. Renew it on {host}."


# --- What the parser said ----------------------------------------------------------------------------


def _excess(error: BaseException, passage: Passage) -> str | None:
    """Return what there was too much of, when an answer was refused for that, else None."""
    if passage.interim_answers > MOST_INTERIM_ANSWERS:
        return f"more than {MOST_INTERIM_ANSWERS} interim answers (1xx) came before it"
    for cause in _causes(error):
        if isinstance(cause, LineTooLong):
            return f"a header is longer than {LARGEST_HEADER} bytes"
        if isinstance(cause, HttpProcessingError) and cause.message.startswith("Too many"):
            return "it has too many headers"
    return None


def _unreadable(error: BaseException) -> str | None:
    """Return what the parser said when the answer broke the rules of HTTP, else None."""
    for cause in _causes(error):
        if isinstance(cause, ContentLengthError | TransferEncodingError):
            return None  # it only broke off
        if isinstance(cause, HttpProcessingError):
            return cause.message
    return None


def _causes(error: BaseException) -> list[BaseException]:
    causes, cause = [], error.__cause__
    causes.append(error)
    while cause:
        causes.append(cause)
        cause = cause.__cause__
    return causes


def _cleaned(error: object) -> str:
    """Return the first line of a text that the other side may have had a part in, printable and short."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].encode("ascii", "backslashreplace").decode()[:200].rstrip(":. ")


def _where(url: str) -> str:
    try:
        target = URL(url)
        return f"{target.host}:{target.port}"
    except ValueError:
        return "this endpoint"
