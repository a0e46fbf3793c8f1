"""Fixtures for all tests: settings of a test run, a signed-in client, a real receiver on a loopback port."""

from __future__ import annotations

import atexit
import ipaddress
import os
import shutil
import tempfile
from collections.abc import Generator

# Before Django reads its settings: nothing of a test may touch the data of a server that runs here.
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="event-trigger-test-")
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 40)

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django_q.conf import Conf
from pytest_httpserver import HTTPServer

from dashboard import key_calls
from dashboard.models import ApiKey, User
from triggers import delivery

if connection.vendor == "sqlite":
    # A file, not memory: threads of a test (a live server's) have a connection each, as in the running server.
    connection.settings_dict["TEST"]["NAME"] = os.path.join(os.environ["DATA_DIR"], "tests.sqlite3")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With REQUIRE_ALL=1, where everything is installed, a skipped test is an error.

    But for the public test vectors: they are no part of the project, and nothing can install them.
    """
    report = yield
    is_left_out = report.skipped and not hasattr(report, "wasxfail") and "vectors" not in str(report.longrepr)
    if is_left_out and os.environ.get("REQUIRE_ALL") == "1":
        report.outcome, report.longrepr = "failed", f"Skipped in spite of REQUIRE_ALL=1: {report.longrepr}"
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the other database: nothing is missing here, so these are not skipped tests."""
    other = "sqlite" if connection.vendor == "postgresql" else "postgres"
    left_out = [item for item in items if item.get_closest_marker(other)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def _test_settings(settings: LazySettings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Every test client would read all static files at its start (0.5 s).
    settings.WHITENOISE_AUTOREFRESH = True
    # No manifest: tests need no collectstatic.
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _new_database() -> None:
    delivery.forget_recipes()
    key_calls.take()


@pytest.fixture
def loopback_allowed(settings: LazySettings) -> None:
    """Let deliveries reach this machine, as `make run` does."""
    settings.DELIVERY_ALLOWED_NETWORKS = [
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
    ]


@pytest.fixture
def receiver(httpserver: HTTPServer, loopback_allowed: None) -> HTTPServer:
    """A real HTTP server on a loopback port that deliveries may reach."""
    return httpserver


@pytest.fixture
def person(db: None) -> User:
    """An administrator, who may do everything."""
    return User.objects.create_user("mara", "mara@example.org", "correct horse battery", role=User.Role.ADMIN)


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_user("ola", "ola@example.org", "correct horse battery", role=User.Role.OPERATOR)


@pytest.fixture
def viewer(db: None) -> User:
    return User.objects.create_user("vera", "vera@example.org", "correct horse battery", role=User.Role.VIEWER)


@pytest.fixture
def signed_in(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


@pytest.fixture
def api_key(db: None) -> str:
    """The clear text of an API key."""
    return ApiKey.create("tests")[1]


@pytest.fixture
def sync_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """django-q2's own sync mode: a task runs at once in this process, instead of in a cluster."""
    monkeypatch.setattr(Conf, "SYNC", True)
