"""What HTTPS is checked against."""

from __future__ import annotations

import ssl


def tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
