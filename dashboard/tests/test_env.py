"""A variable is read, or the start stops with its name and what is allowed; secrets come from files too."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
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
        (lambda name: env.proxy(name), "proxy.example:3128", "http://host:port"),
        (lambda name: env.proxy(name), "proxy.example", "http://host:port"),
        (lambda name: env.proxy(name), "http://proxy.example", "http://host:port"),
        (lambda name: env.proxy(name), "http://:3128", "http://host:port"),
        (lambda name: env.proxy(name), "http://proxy.example:0", "http://host:port"),
        (lambda name: env.proxy(name), "http://proxy.example:3128/path", "http://host:port"),
        (lambda name: env.proxy(name), "http://proxy.example:3128?x", "http://host:port"),
        (lambda name: env.proxy(name), "http://[::1:3128", "http://host:port"),
        (lambda name: env.proxy(name), "https://proxy.example:3128", "http://host:port"),
        (lambda name: env.proxy(name), "socks5://proxy.example:3128", "http://host:port"),
        (lambda name: env.proxy(name), "http://a b@proxy.example:3128", "http://host:port"),
        (lambda name: env.redis_url(name), "127.0.0.1:6379", "redis://:password@host:6379/0"),
        (lambda name: env.redis_url(name), "http://host:6379", "redis://:password@host:6379/0"),
        (lambda name: env.redis_url(name), "redis://host:port/0", "redis://:password@host:6379/0"),
        (lambda name: env.certificates(name), "/no/such/file", "No such file.*certificates as PEM"),
        (lambda name: env.certificates(name), __file__, "holds no certificate.*certificates as PEM"),
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


@pytest.mark.parametrize(
    "value",
    ["http://user:open-sesame@host:port", "user:open-sesame@host:3128", "http://user:open-sesame@host:3128/x"],
)
def test_the_password_of_a_bad_proxy_is_not_repeated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", value)

    with pytest.raises(ImproperlyConfigured) as caught:
        env.proxy("SOME_VARIABLE")

    assert "open-sesame" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "value",
    ["redis://:open/sesame@host:6379/0", "redis://:7719/sesame@host:6379/0", "redis://:open#sesame@host:6379/0"],
)
def test_the_password_of_a_bad_redis_url_is_not_repeated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", value)

    with pytest.raises(ImproperlyConfigured) as caught:
        env.redis_url("SOME_VARIABLE")

    assert not re.search("open|7719|sesame", str(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "value",
    ["", "redis://127.0.0.1:6379/0", "rediss://user:p%2Fss@redis.example:6380/1", "unix:///run/redis.sock?db=2"],
)
def test_it_reads_where_redis_is(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", value)

    assert env.redis_url("SOME_VARIABLE") == value


@pytest.mark.parametrize(
    ("value", "proxy"),
    [
        ("", ""),
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("http://proxy.example:3128/", "http://proxy.example:3128"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("http://user:p%40ss@10.0.0.1:80", "http://user:p%40ss@10.0.0.1:80"),
    ],
)
def test_it_reads_a_proxy(value: str, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", value)

    assert env.proxy("SOME_VARIABLE") == proxy


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


def test_a_key_that_another_process_is_just_writing_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.touch()
    writer = threading.Timer(0.1, path.write_text, ["made-by-the-other"])
    writer.start()

    assert env.kept_secret("SOME_VARIABLE", path) == "made-by-the-other"
    writer.join()


def test_an_empty_file_in_the_place_of_a_key_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.touch()

    with pytest.raises(ImproperlyConfigured, match=r"SOME_VARIABLE is not given, and .*secret_key is empty"):
        env.kept_secret("SOME_VARIABLE", path)


# --- Encryption keys -----------------------------------------------------------------------------------


def test_an_encryption_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "encryption_keys"

    (first,) = env.kept_encryption_keys("SOME_VARIABLE", path)

    assert Fernet(first)
    assert env.kept_encryption_keys("SOME_VARIABLE", path) == [first]
    assert path.stat().st_mode & 0o777 == 0o600


def test_several_encryption_keys_are_read_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("SOME_VARIABLE", f" {new}, {old} ,")

    assert env.kept_encryption_keys("SOME_VARIABLE", tmp_path / "none") == [new, old]
    assert not (tmp_path / "none").exists()


def test_encryption_keys_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Fernet.generate_key().decode()
    (tmp_path / "keys").write_text(f"{key}\n")
    monkeypatch.setenv("SOME_VARIABLE_FILE", str(tmp_path / "keys"))

    assert env.kept_encryption_keys("SOME_VARIABLE", tmp_path / "none") == [key]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1],  # its last character lost
        lambda key: key[1:],
        lambda key: f"{key}{key}",  # the comma forgotten
        lambda key: f"{Fernet.generate_key().decode()},{key[:20]}",  # the second of two
        lambda key: f"ß{key[1:]}",
    ],
)
def test_a_bad_encryption_key_stops_the_start_and_is_not_repeated(
    spoil: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("SOME_VARIABLE", spoil(key))

    with pytest.raises(ImproperlyConfigured, match=r"SOME_VARIABLE is not allowed.*Make one with: python -c") as caught:
        env.kept_encryption_keys("SOME_VARIABLE", tmp_path / "none")

    assert key[5:15] not in str(caught.value)


def test_commas_alone_are_no_encryption_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", ",")

    with pytest.raises(ImproperlyConfigured, match="SOME_VARIABLE"):
        env.kept_encryption_keys("SOME_VARIABLE", tmp_path / "none")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("fd00::7", "http://[fd00::7]:8000"),
        ("10.0.0.5", "http://10.0.0.5:8000"),
    ],
)
def test_a_server_reaches_itself_where_it_listens(host: str, origin: str) -> None:
    assert env.own_origin(host, 8000) == origin
    assert f"http://{env.host_of(origin)}:8000" == origin
