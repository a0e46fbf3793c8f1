"""A request as a command of a POSIX shell, ready to paste. Pure.

Nothing in it is read by the shell or by curl in another way than it was sent: every part is quoted, a body that
begins with @ is no file, and what a terminal would act upon (tabs, escapes, text that runs backwards) is written as
numbers. Redirects are not followed, as curl does by itself. A secret stands as a variable: `$AUTHORIZATION`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence

LONGEST_ARGUMENT = 100_000  # bytes; Linux takes 128 KiB
_MADE_BY_CURL = {"connection", "content-length", "host", "transfer-encoding"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
# What a shell has already put something into.
_TAKEN = {"HOME", "HOSTNAME", "IFS", "LANG", "LOGNAME", "MAIL", "OLDPWD", "PATH", "PWD", "SHELL", "TERM", "UID", "USER"}


def as_curl(
    method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | str, secret_names: Collection[str]
) -> str:
    """Return the command over several lines. `secret_names`: headers whose values are not written, in any case."""
    body = body.encode() if isinstance(body, str) else body
    secret = {name.lower() for name in secret_names}
    lines = [] if method == "GET" and not body else ["--head" if method == "HEAD" else f"--request {_quoted(method)}"]
    # curl would else read brackets as lists of addresses, and walk up and down the path by itself.
    lines += ["--globoff"] if re.search(r"[\[\]{}]", url) else []
    lines += ["--path-as-is"] if "/." in url else []
    lines += [
        f"--header {_header(name, value, is_secret=name.lower() in secret)}"
        for name, value in headers
        if name.lower() not in _MADE_BY_CURL
    ]
    source = ""
    # A POST of nothing says so by its length, which some servers insist on.
    if method != "HEAD" and (body or method in ("POST", "PUT", "PATCH")):
        if not any(name.lower() == "content-type" for name, _ in headers):
            lines.append("--header 'Content-Type:'")  # curl would else call it a form
        text = _plain_text(body)
        if text is not None and len(body) <= LONGEST_ARGUMENT:
            lines.append(f"--data-raw {shlex.quote(text)}")
        else:
            source = f"printf '%s' {shlex.quote(text)} | " if text is not None else f"{_printf(body)} | "
            lines.append("--data-binary @-")
    return " \\\n  ".join([f"{source}curl {_quoted(url)}", *lines])


def variable(name: str) -> str:
    """Return the shell's variable for a secret header: `X_API_KEY` for X-Api-Key."""
    made = re.sub(r"[^A-Z0-9]", "_", name.upper())
    return f"SECRET_{made}" if made in _TAKEN or not made[:1].isalpha() else made


def _header(name: str, value: str, *, is_secret: bool) -> str:
    if not is_secret:
        return _quoted(f"{name}: {value}" if value else f"{name};")  # without a value, `Name:` would leave it out
    if _PLAIN_NAME.fullmatch(name):
        return f'"{name}: ${variable(name)}"'
    return f'{_quoted(f"{name}: ")}"${variable(name)}"'


def _quoted(text: str) -> str:
    """Return text without line breaks as one word of the shell."""
    return shlex.quote(text) if text.isprintable() else f'"$({_printf(text.encode())})"'


def _plain_text(body: bytes) -> str | None:
    """Return the body as text when all of it can be pasted: what is printed, and line feeds."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if text.replace("\n", "").isprintable() else None


def _printf(content: bytes) -> str:
    """Return a command that prints exactly these bytes."""
    written = content.decode("utf-8", errors="surrogateescape")
    parts = "".join(_in_format(character) for character in written)
    return f"printf {shlex.quote(parts if not parts.startswith('-') else chr(92) + '055' + parts[1:])}"


def _in_format(character: str) -> str:
    if character in "%\\":
        return character * 2
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", errors="surrogateescape"))
