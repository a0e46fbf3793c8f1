"""What goes wrong with a request, as the rest of the server sees it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ErrorKind(StrEnum):
    DNS = "dns"  # no such name, or its name server did not answer in time
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    TIMEOUT = "timeout"  # nothing of an answer came
    READ_TIMEOUT = "read_timeout"  # it began, and then nothing more came
    TOTAL = "total_timeout"  # it was still coming when the time was up
    RESET = "reset"
    BLOCKED = "blocked"  # by the address guard
    TOO_LARGE = "too_large"  # what comes before or after the body; a body is cut
    PROTOCOL = "protocol"
    PROXY = "proxy"  # our own outbound proxy


class Timing(NamedTuple):  # which is made in a quarter of the time of a frozen dataclass, and one is with every answer
    """How long each part of an exchange took, in milliseconds; None: it was not measured, or did not come to that.

    A connection that was open already has no look-up, no connecting and no TLS.
    """

    dns_ms: float | None = None
    connect_ms: float | None = None  # through a proxy: until the tunnel stands
    tls_ms: float | None = None
    first_byte_ms: float | None = None  # from the request to the first byte of the answer
    body_ms: float | None = None  # from there to the last byte that was read


UNMEASURED = Timing()


class OutboundError(Exception):
    """No (whole) answer came. The text is for people: what happened, and what to do.

    `remote_address` is where the request was sent to, or "" when no connection came about.
    """

    def __init__(self, kind: ErrorKind, words: str, remote_address: str = "", timing: Timing = UNMEASURED) -> None:
        super().__init__(words)
        self.kind = kind
        self.remote_address = remote_address
        self.timing = timing
