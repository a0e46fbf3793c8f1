"""The route that a request takes: through which proxy, and whom it trusts on the way."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Route:
    """How a request leaves. Its secrets are left out of its repr, so that no log shows them."""

    # http://[user:password@]host:port of a proxy that carries it, or "": it goes out directly.
    proxy: str = field(default="", repr=False)
    # PEM of authorities that sign certificates here, beside those that the system knows.
    authorities: str = field(default="", repr=False)
    # PEM of the certificate (and chain) that is shown to an endpoint that asks, and of its key; both or none.
    client_certificate: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)
    # False: any certificate will do. Whoever sits on the line may then read and change everything.
    is_verified: bool = True


DIRECT = Route()
