"""A variable is read, or the start stops with its name and what is allowed; secrets come from files too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard import env


@pytest.mark.parametrize(
    ("read", "value", "words"),
    [
        (lambda name: env.whole_number(name, 8000, least=1, most=65535), "80a", "whole number from 1 to 65535"),
        (lambda name: env.whole_number(name, 8000, least=1, most=65535), "0", "whole number from 1 to 65535"),
        (lambda name: env.whole_number(name, 8000, least=1, most=65535), "-1", "whole number from 1 to 65535"),
        (lambda name: env.boolean(name, default=False), "ture", "true or false"),
        (lambda name: env.time_zone(name, "UTC"), "Mars/Base", "IANA time zone name"),
        (lambda name: env.networks(name), "10.0.0.0/99", "CIDRs"),
        (lambda name: env.networks(name), "10.0.0.1/8", "CIDRs"),
        (lambda name: env.database(name, "sqlite:///x"), "nonsense", "sqlite:///path or postgres://"),
        (lambda name: env.database(name, "sqlite:///x"), "mysql://a/b", "sqlite:///path or postgres://"),
    ],
)
def test_a_malformed_value_is_refused_by_name(
    read: Callable[[str], Any], value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_VARIABLE", value)

    with pytest.raises(ImproperlyConfigured, match=words) as caught:
        read("SOME_VARIABLE")

    assert "SOME_VARIABLE" in str(caught.value)


def test_the_password_of_a_bad_database_url_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "postgres://user:open-sesame@host:port/name")

    with pytest.raises(ImproperlyConfigured) as caught:
        env.database("SOME_VARIABLE", "sqlite:///x")

    assert "open-sesame" not in str(caught.value)


def test_a_secret_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "url"
    path.write_text("postgres://user:password@host/events\n")
    monkeypatch.setenv("SOME_VARIABLE_FILE", str(path))

    assert env.database("SOME_VARIABLE", "sqlite:///x")["NAME"] == "events"


def test_a_secret_whose_file_is_missing_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE_FILE", str(tmp_path / "none"))

    with pytest.raises(ImproperlyConfigured, match="SOME_VARIABLE_FILE"):
        env.secret("SOME_VARIABLE")


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "secret_key"

    first = env.kept_secret("SOME_VARIABLE", path)

    assert len(first) >= 50
    assert env.kept_secret("SOME_VARIABLE", path) == first
    assert path.stat().st_mode & 0o777 == 0o600
