"""A request as a curl command: pasted into real shells, the real curl sends what we sent."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from triggers.curl import LONGEST_ARGUMENT, as_curl, variable

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl (apt-get install curl)")
SHELLS = [shell for shell in ("bash", "dash", "sh") if shutil.which(shell)]
JSON = ("Content-Type", "application/json")


def run(command: str, shell: str = "sh", **variables: str) -> str:
    """Give the command to the shell's input, as one who pastes it, and return what it printed."""
    done = subprocess.run(
        [shell],
        input=command.encode(),
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", **variables},
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode(errors="replace")


@pytest.fixture
def arrived(httpserver: HTTPServer) -> list[Request]:
    """Every request that the server got."""
    requests: list[Request] = []

    def keep(request: Request) -> Response:
        request.get_data()  # while it can be read
        requests.append(request)
        return Response("", 302, {"Location": "/elsewhere"})

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(keep)
    return requests


# --- As it reads -------------------------------------------------------------------------------------


def test_it_reads_as_a_person_would_write_it() -> None:
    command = as_curl(
        "POST",
        "https://example.org/hook?a=1&b=2",
        [JSON, ("Authorization", "Bearer open-sesame"), ("X-Name", "Ann")],
        b'{"name": "it\'s"}',
        ["authorization"],
    )

    assert command == (
        "curl 'https://example.org/hook?a=1&b=2' \\\n"
        "  --request POST \\\n"
        "  --header 'Content-Type: application/json' \\\n"
        '  --header "Authorization: $AUTHORIZATION" \\\n'
        "  --header 'X-Name: Ann' \\\n"
        """  --data-raw '{"name": "it'"'"'s"}'"""
    )


def test_a_plain_get_is_one_line() -> None:
    assert as_curl("GET", "https://example.org/", [], b"", []) == "curl https://example.org/"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Authorization", "AUTHORIZATION"),
        ("X-Api-Key", "X_API_KEY"),
        ("x.key!", "X_KEY_"),
        ("2nd-Key", "SECRET_2ND_KEY"),
        ("_key", "SECRET__KEY"),
        ("Path", "SECRET_PATH"),  # the shell has something there already
        ("User", "SECRET_USER"),
    ],
)
def test_a_secret_has_a_variable_of_its_own(name: str, shown: str) -> None:
    assert variable(name) == shown


# --- As it runs --------------------------------------------------------------------------------------

BODIES = [
    b"",
    b"{}",
    b'{"a": "it\'s \\"$HOME\\" `id` $(id) \\\\n !! %s"}',
    b"@/etc/passwd",
    b"-d@/etc/passwd",
    b"--help",
    b"line\nbreaks\n\n",
    b"\r\n\ttabs\x1b[31m\x7f",
    b"%d 100%",
    b"-\ttab",
    b"\\\ttab \\055 \\",
    "Grüße 🎉 \u202e backwards \u2028 \ufeff".encode(),
    b"\x00",
    bytes(range(256)),
    b"\x00" + bytes(range(255, 0, -1)) * 4 + b"12",
    b"x" * LONGEST_ARGUMENT,
    ("é'" * 100_000).encode(),
    b"\x00'" * 100_000,
]


@needs_curl
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("body", BODIES, ids=lambda body: ascii(body[:12]))
def test_every_body_arrives_byte_for_byte(
    shell: str, body: bytes, httpserver: HTTPServer, arrived: list[Request]
) -> None:
    run(as_curl("POST", httpserver.url_for("/"), [JSON], body, []), shell)

    (request,) = arrived
    assert request.get_data() == body
    assert request.content_type == "application/json"
    assert request.method == "POST"


@needs_curl
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_every_method_is_sent_and_no_redirect_followed(
    method: str, body: bytes, httpserver: HTTPServer, arrived: list[Request]
) -> None:
    command = as_curl(method, httpserver.url_for("/"), [], body, [])
    run(command)

    (request,) = arrived
    assert request.method == method
    assert request.get_data() == (b"" if method == "HEAD" else body)
    assert "Content-Type" not in request.headers  # curl's own is kept away
    assert bool(re.search(r"--head\b", command)) is (method == "HEAD")
    if method in ("POST", "PUT", "PATCH"):
        assert request.headers["Content-Length"] == str(len(body))
    assert "--location" not in command


@needs_curl
@pytest.mark.parametrize("shell", SHELLS)
def test_headers_arrive_as_they_are(shell: str, httpserver: HTTPServer, arrived: list[Request]) -> None:
    headers = [
        ("X-Quotes", 'it\'s "$HOME" `id` $(id) \\ !! @x ;'),
        ("X-Empty", ""),
        ("X-Tab", "a\tb%s\\n"),
        ("X-Name", "Grüße 🎉"),
        ("User-Agent", "EventTriggerPlatform/0.1.0"),
        ("Accept-Encoding", "identity"),
        ("webhook-id", "msg_1"),
        ("Content-Length", "5"),  # of another body, by mistake
        ("Host", "elsewhere.example"),
    ]

    run(as_curl("GET", httpserver.url_for("/"), headers, b"", []), shell)

    (request,) = arrived
    for name, value in headers[:-2]:
        assert request.headers[name].encode("latin-1").decode() == value
    assert "Content-Length" not in request.headers
    assert request.host == f"{httpserver.host}:{httpserver.port}"


@needs_curl
@pytest.mark.parametrize("shell", SHELLS)
def test_secrets_come_from_variables_and_are_nowhere_in_the_text(
    shell: str, httpserver: HTTPServer, arrived: list[Request]
) -> None:
    secret = 'Bearer it\'s "$HOME" `id`'
    headers = [("Authorization", secret), ("X$HOME`id`!", secret), ("Path", secret), ("X-Open", "open")]

    command = as_curl("POST", httpserver.url_for("/"), headers, b"{}", ["AUTHORIZATION", "x$home`id`!", "path"])
    run(command, shell, AUTHORIZATION=secret, X_HOME_ID__="odd", SECRET_PATH="path")

    (request,) = arrived
    assert "Bearer" not in command
    assert request.headers["Authorization"] == secret
    assert request.headers["X$HOME`id`!"] == "odd"
    assert request.headers["Path"] == "path"
    assert request.headers["X-Open"] == "open"


@needs_curl
@pytest.mark.parametrize(
    "path",
    [
        "/a?b=[1-3]&c={x,y}",
        "/a/../b/./c",
        "/it's?$HOME=`id`&x=$(id);y|z",
        "/%20%22?q=%C3%BC#",
        "/a?b=\\",
    ],
)
def test_addresses_are_asked_for_as_they_stand(path: str, httpserver: HTTPServer, arrived: list[Request]) -> None:
    run(as_curl("GET", f"http://{httpserver.host}:{httpserver.port}{path}", [], b"", []))

    (request,) = arrived
    assert request.environ["REQUEST_URI"] == path.removesuffix("#")


@needs_curl
def test_nothing_else_is_run(tmp_path: object, httpserver: HTTPServer, arrived: list[Request]) -> None:
    evil = f"'; touch {tmp_path}/made; echo \"$(touch {tmp_path}/made)`touch {tmp_path}/made`\n#"
    clean = evil.replace("\n", "")

    run(as_curl("POST", httpserver.url_for("/") + "?" + clean.replace(" ", "+"), [("X", clean)], evil, []))

    assert len(arrived) == 1
    assert arrived[0].get_data() == evil.encode()
    assert arrived[0].headers["X"] == clean
    assert run(f"ls {tmp_path}") == ""
