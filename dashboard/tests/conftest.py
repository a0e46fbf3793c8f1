"""Fixtures for the tests of pages and of the API."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from dashboard.models import User


@pytest.fixture
def program(api_key: str) -> Client:
    """A program that calls the API with a key; what goes wrong inside comes back as an answer."""
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {api_key}"})


@pytest.fixture(scope="session")
def compiled_words() -> None:
    """The catalogues of locale/ as pages read them."""
    command = [
        sys.executable,
        "-m",
        "babel.messages.frontend",
        "--quiet",
        "compile",
        "-d",
        "locale",
        "-D",
        "django djangojs",
    ]
    subprocess.run(command, cwd=settings.BASE_DIR, check=True)


# --- A real browser (tests marked `browser`) -------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's chromium, which asks nobody outside for anything."""
    # Playwright's event loop runs in the tests' own thread; Django would refuse to reach its database beside it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    return {
        "executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
        "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
    }


@pytest.fixture
def visitor(live_server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A signed-in person's browser on a running server. An error in its console or a request elsewhere is a failure."""
    person: User = request.getfixturevalue("person")
    page: Page = request.getfixturevalue("page")
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if _is_here(asked.url, live_server) else wrong.append(asked.url))
    client = Client()
    client.force_login(person)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.set_default_timeout(8000)
    yield page
    expected: tuple[str, ...] = getattr(request.node, "expected_in_console", ())
    assert [words for words in wrong if not any(part in words for part in expected)] == []


def _is_here(url: str, live_server: LiveServer) -> bool:
    return url.startswith((live_server.url, "data:", "blob:"))
