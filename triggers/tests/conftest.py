"""Fixtures for tests of HTTPS, and for those that run commands on databases of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from triggers.outbound import Route
from triggers.tests import databases
from triggers.tests.certificates import openssl


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority that signs certificates: ca.pem and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes the certificates, is missing")
    folder = tmp_path_factory.mktemp("authority")
    openssl(
        folder,
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"),
        *("-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem"),
    )
    (folder / "serial").write_text("01")
    return folder


@pytest.fixture(scope="session")
def trusting(authority: Path) -> Route:
    """A route that trusts the authority."""
    return Route(authorities=(authority / "ca.pem").read_text())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[databases.Database]:
    """A database of a test's own, without tables."""
    with databases.made(tmp_path, "database") as made:
        yield made


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[databases.Database]:
    """Another one."""
    with databases.made(tmp_path, "empty") as made:
        yield made
