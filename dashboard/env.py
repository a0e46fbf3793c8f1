"""Read settings from the environment; a malformed value stops the start with its name and what is allowed.

Every reader takes the variable's name and the default that works on a laptop. A secret may also be
given as a file: `NAME_FILE` holds the path of a file whose content is the value.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import secrets
import ssl
import time
import zoneinfo
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import dj_database_url
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError
from redis.connection import parse_url

from dashboard import filesystems

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Of every connection to PostgreSQL, as libpq knows them: a machine or a way there that is gone is noticed in some 10 s,
# not after the system's quarter of an hour (sent and not acknowledged) or never (waiting for an answer).
KEPT_ALIVE: dict[str, object] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms
}

_env = Env()


def text(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def secret(name: str) -> str:
    """Return the value of `name`, or the content of the file that `<name>_FILE` names, or ""."""
    path = os.environ.get(f"{name}_FILE", "").strip()
    if not path:
        return os.environ.get(name, "").strip()
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path} cannot be read: {error.strerror}.") from error


def listed_secret(name: str) -> list[str]:
    """Return a comma-separated list of secrets, from the variable or its file."""
    return [word.strip() for word in secret(name).split(",") if word.strip()]


def words(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list."""
    return [word.strip() for word in text(name, ",".join(default)).split(",") if word.strip()]


def boolean(name: str, default: bool) -> bool:
    try:
        return _env.bool(name, default) if text(name, "") else default
    except EnvError as error:
        raise ImproperlyConfigured(f"{name}={text(name, '')} is not allowed: use true or false.") from error


def whole_number(name: str, default: int, *, least: int, most: int) -> int:
    raw = text(name, str(default))
    if raw.isascii() and raw.isdigit() and least <= int(raw) <= most:
        return int(raw)
    raise ImproperlyConfigured(f"{name}={raw} is not allowed: use a whole number from {least} to {most}.")


def one_of(name: str, default: str, allowed: Sequence[str]) -> str:
    """Return one of `allowed` (capitals), however it was written."""
    raw = text(name, default).upper()
    if raw in allowed:
        return raw
    raise ImproperlyConfigured(f"{name}={text(name, '')} is not allowed: use one of {', '.join(allowed)}.")


def url(name: str, default: str) -> str:
    """Return an address of http or https, without a slash at its end."""
    raw = text(name, default).rstrip("/")
    parts = urlsplit(raw)
    if parts.scheme in ("http", "https") and parts.netloc and raw.isascii() and raw.isprintable() and " " not in raw:
        return raw
    raise ImproperlyConfigured(f"{name}={raw} is not allowed: use an address such as https://events.example.org.")


def own_origin(host: str, port: int) -> str:
    """Return how a server that listens so is reached from its own machine: http://127.0.0.1:8000."""
    named = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (it is asked for, not listened on)
    return f"http://{host_in_url(named)}:{port}"


def host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def host_of(address: str) -> str:
    """Return the host of an address of http or https as ALLOWED_HOSTS wants it."""
    return host_in_url(urlsplit(address).hostname or "")


def time_zone(name: str, default: str) -> str:
    raw = text(name, default)
    if raw in zoneinfo.available_timezones():
        return raw
    raise ImproperlyConfigured(f"{name}={raw} is not allowed: use an IANA time zone name such as Europe/Berlin.")


def networks(name: str) -> list[Network]:
    """Return a comma-separated list of CIDRs as networks."""
    try:
        return [ipaddress.ip_network(word) for word in words(name, [])]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}={text(name, '')} is not allowed: {error}. Use CIDRs, separated by commas, "
            "such as 10.0.0.0/8,fd00::/8."
        ) from error


def proxy(name: str) -> str:
    """Return http://[user:password@]host:port of an HTTP proxy, or ""; it may hold a password."""
    raw = secret(name)
    if not raw:
        return ""
    # Not the value, nor the error's own words: they may repeat the password.
    refused = ImproperlyConfigured(
        f"{name} cannot be read: use http://host:port or http://user:password@host:port, with special characters "
        "of the password percent-encoded."
    )
    try:
        parts = urlsplit(raw)
        is_good = parts.scheme == "http" and parts.hostname and parts.port and parts.path in ("", "/")
    except ValueError:
        raise refused from None
    if not is_good or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", raw):
        raise refused
    return f"http://{parts.netloc}"


def certificates(name: str) -> str:
    """Return the PEM certificates in the file that the variable names, or ""."""
    path = text(name, "")
    if not path:
        return ""
    try:
        pem = Path(path).read_text(encoding="utf-8")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.encode("ascii", "ignore").decode())
    except (OSError, ValueError) as error:  # a file that cannot be read; bad PEM is an ssl.SSLError, an OSError too
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError | ValueError) else error.strerror
        raise ImproperlyConfigured(
            f"{name}={path} cannot be read: {reason}. Name a file with certificates as PEM."
        ) from error
    return pem


def database(name: str, default: str) -> dict[str, object]:
    """Return the Django connection settings of a database URL (sqlite or postgres), which may hold a password."""
    try:
        config = dict(dj_database_url.parse(secret(name) or default))
    except (ValueError, KeyError) as error:
        # Not the error's own words: they may repeat the password.
        raise ImproperlyConfigured(
            f"{name} cannot be read: use sqlite:///path or postgres://user:password@host/name."
        ) from error
    engine = str(config.get("ENGINE"))
    if not engine.endswith((".sqlite3", ".postgresql")):
        raise ImproperlyConfigured(f"{name} names {engine}: use sqlite:///path or postgres://user:password@host/name.")
    if engine.endswith(".postgresql"):
        config["OPTIONS"] = KEPT_ALIVE | cast("dict[str, object]", config.get("OPTIONS", {}))
    if engine.endswith(".sqlite3") and (reason := filesystems.why_not(Path(str(config["NAME"])))):
        where = f"{name}=sqlite:///{config['NAME']}" if secret(name) else f"DATA_DIR={Path(str(config['NAME'])).parent}"
        raise ImproperlyConfigured(
            f"{where} is not allowed: {reason}. Use a folder on a local disk of this machine that this user may write, "
            "or PostgreSQL (DATABASE_URL=postgres://user:password@host/name)."
        )
    return config


def redis_url(name: str) -> str:
    """Return an address of Redis as redis-py reads it, or ""; it may hold a password."""
    raw = secret(name)
    if not raw:
        return ""
    # Not the value, nor the error's own words: they may repeat the password.
    refused = ImproperlyConfigured(
        f"{name} cannot be read: use redis://:password@host:6379/0, with special characters of the password "
        "percent-encoded."
    )
    try:
        parse_url(raw)  # type: ignore[no-untyped-call]
        parts = urlsplit(raw)
    except ValueError:
        raise refused from None
    # The password ended too early: what follows its first "/", "?" or "#" is no longer of the host.
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise refused
    return raw


def kept_secret(name: str, path: Path) -> str:
    """Return the secret from the environment, or the one kept at `path`, made there on the first start."""
    return secret(name) or _kept(name, path, lambda: secrets.token_urlsafe(50))


def kept_encryption_keys(name: str, path: Path) -> list[str]:
    """Return a comma-separated list of Fernet keys, or the one kept at `path`, made there on the first start.

    The first encrypts, every one decrypts.
    """
    text = secret(name) or _kept(name, path, lambda: Fernet.generate_key().decode())
    keys = [word.strip() for word in text.split(",") if word.strip()]
    for number, key in enumerate(keys, 1):
        if not _is_encryption_key(key):
            # Not the value: it may be a key with one character lost.
            raise ImproperlyConfigured(
                f"{name} is not allowed: key {number} of {len(keys)} is not 32 bytes in the base64 of URLs. Make one "
                'with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            )
    if not keys:
        raise ImproperlyConfigured(f"{name} is not allowed: it holds commas and no key.")
    return keys


def _is_encryption_key(text: str) -> bool:
    """Stricter than Fernet itself, which takes two keys without a comma for the first of them."""
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == 32
    except ValueError:
        return False


def _kept(name: str, path: Path, make: Callable[[], str]) -> str:
    """Return what is kept at `path`, readable by its owner only; made there when there is nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL: of two processes that start together, one makes the key and the other reads it.
        with open(
            os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600),
            "w",
            encoding="utf-8",
        ) as file:
            file.write(make())
    except FileExistsError:
        pass
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is not given and cannot be made at {path}: {error.strerror}. Set {name}, or DATA_DIR "
            "to a folder that this user may write."
        ) from error
    # The other process may be between making the file and writing it.
    for _ in range(20):
        if kept := path.read_text(encoding="utf-8").strip():
            return kept
        time.sleep(0.05)
    raise ImproperlyConfigured(f"{name} is not given, and {path} is empty. Put the key back there, or delete the file.")
