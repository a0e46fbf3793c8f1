"""What goes wrong with a request, as the rest of the server sees it."""

from __future__ import annotations

from enum import StrEnum


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
