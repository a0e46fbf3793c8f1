"""Fixtures for tests of the engine: certificates, real clusters, and databases and servers of a test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from triggers.outbound import Route
from triggers.tests import clusters, databases, redis_servers
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
def database_url(tmp_path: Path) -> Iterator[str]:
    """An empty database of the kind that the tests run on, which is not the one that pytest-django holds."""
    with databases.made(tmp_path, "cluster") as made:
        yield made.url


@pytest.fixture
def cluster(tmp_path: Path, database_url: str, receiver: HTTPServer) -> Iterator[clusters.Cluster]:
    """A running `manage.py cluster` with a trigger that fires every second at the receiver."""
    receiver.expect_request("/hook").respond_with_data("ok")
    environment = clusters.surroundings(tmp_path, database_url)
    clusters.migrate(environment)
    with clusters.running(environment, receiver) as running:
        yield running


@pytest.fixture
def redis_server() -> Iterator[redis_servers.RedisServer]:
    """A Redis of the test's own, to be broken."""
    with redis_servers.started() as server:
        yield server


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
