"""Certificates for servers of tests, made by openssl."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def server_tls(
    authority: Path, names: str, *, starts: datetime | None = None, ends: datetime | None = None
) -> ssl.SSLContext:
    """What a server needs that shows a certificate for these names, valid between these two instants (this day)."""
    starts, ends = starts or datetime.now(UTC), ends or datetime.now(UTC) + timedelta(days=1)
    (authority / "index").write_text("")
    (authority / "ca.conf").write_text(
        "[ca]\ndefault_ca=it\n[it]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ncertificate=ca.pem\n"
        "private_key=ca.key\ndefault_md=sha256\npolicy=any\nx509_extensions=names\nunique_subject=no\n"
        f"[any]\ncommonName=optional\n[names]\nsubjectAltName={names}\n"
    )
    request = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server")
    openssl(authority, *request, "-keyout", "server.key", "-out", "server.csr")
    between = ("-startdate", f"{starts:%Y%m%d%H%M%SZ}", "-enddate", f"{ends:%Y%m%d%H%M%SZ}")
    openssl(authority, "ca", "-batch", "-config", "ca.conf", *between, "-in", "server.csr", "-out", "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    return context


def client_certificate(name: str = "deliveries") -> tuple[str, str]:
    """Return a certificate, valid this day, that shows who calls, and its key, as PEM."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        request = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1")
        openssl(folder, *request, "-subj", f"/CN={name}", "-keyout", "key.pem", "-out", "certificate.pem")
        return (folder / "certificate.pem").read_text(), (folder / "key.pem").read_text()
