"""HTTP to the outside, through the address guard.

No request leaves for an address that is not public, unless the settings name its network: the guard sits where
the socket is made and sees the very address that is connected to, so neither a literal address, nor a name
that resolves to something else the second time, goes past it. Redirects are not followed, cookies and the
proxies of the environment are not used. A deadline by the monotonic clock lies over everything, from the look-up
of the name to the last byte read; and no more is read than asked for.

    sending       send: one Request out, an Answer back
    failures      what went wrong, in words
    connections   connections that the guard has let through, and how far a request has come
    guard         the sockets and the names
    tls           what HTTPS is checked against
    answers       what came back, and how it is shown
    addresses     which endpoint is accepted, which address may be reached
    routes        through which proxy a request leaves, and whom it trusts
    errors        OutboundError: no (whole) answer came; `kind` says why, and its text says it to people
"""

from __future__ import annotations

from triggers.outbound.addresses import Network, checked_endpoint, refusal
from triggers.outbound.answers import Answer, readable
from triggers.outbound.errors import ErrorKind, OutboundError, Timing
from triggers.outbound.routes import DIRECT, Route
from triggers.outbound.sending import KEPT_FOR_THE_CLIENT, METHODS, Request, open_session, send
from triggers.outbound.tls import BadCertificate, check_client_certificate

__all__ = [
    "DIRECT",
    "KEPT_FOR_THE_CLIENT",
    "METHODS",
    "Answer",
    "BadCertificate",
    "ErrorKind",
    "Network",
    "OutboundError",
    "Request",
    "Route",
    "Timing",
    "check_client_certificate",
    "checked_endpoint",
    "open_session",
    "readable",
    "refusal",
    "send",
]
