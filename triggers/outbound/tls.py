"""What HTTPS is checked against, and which certificate is shown to an endpoint that asks for one."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from django.utils.translation import gettext as _

from triggers.outbound.routes import Route

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name


class BadCertificate(ValueError):
    """A certificate or key of ours cannot be used; the text says it to people."""


def tls_context(route: Route) -> ssl.SSLContext:
    """Return the context of this route; the same one each time, so that connections are re-used.

    Raises BadCertificate when one of its own cannot be used.
    """
    return _context(route.authorities, route.client_certificate, route.client_key, route.is_verified, True)


def timeless_context(route: Route) -> ssl.SSLContext:
    """Return a context that checks everything but the time."""
    return _context(route.authorities, "", "", True, False)


def check_client_certificate(certificate: str, key: str) -> None:
    """Raise BadCertificate unless the PEM texts are a certificate and its key."""
    _load_client_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key)


@lru_cache(maxsize=256)
def _context(authorities: str, certificate: str, key: str, is_verified: bool, is_time_checked: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if authorities:
        try:
            context.load_verify_locations(cadata=authorities)
        except (ssl.SSLError, ValueError):
            raise BadCertificate("The certificates of OUTBOUND_CA_FILE cannot be read.") from None
    if certificate or key:
        _load_client_certificate(context, certificate, key)
    if not is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if not is_time_checked:
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    if not (certificate and key):
        raise BadCertificate(_("A client certificate needs its key, and a key its certificate: give both, as PEM."))
    try:
        with _readable_file(certificate) as certificate_path, _readable_file(key) as key_path:
            # A password that is none: OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate_path, key_path, password=lambda: "")
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        raise BadCertificate(
            _(
                "The client certificate cannot be used: give the certificate and the key that belongs to it as PEM, "
                "the key without a password."
            )
        ) from None


@contextmanager
def _readable_file(text: str) -> Iterator[str]:
    """Yield a path where OpenSSL, which takes nothing else, reads the text: in memory where the system can."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("pem"), "w") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("w") as file:  # for its owner only
            file.write(text)
            file.flush()
            yield file.name
