"""Planted secrets are found nowhere in clear: not in the database, an answer, a page, the log or an export."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from triggers import claims, dispatch
from triggers.models import Attempt, Event, Recipe
from triggers.tests.certificates import openssl
from triggers.vault import MASK

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sync_queue")]

JSON = "application/json"
TOKEN, PASSWORD, ODD = "5f3a77190cc1aabb", "open sesame 7719", 'k&y "with"/odd+signs ü'


@pytest.fixture
def client_key(tmp_path: Path) -> tuple[str, str]:
    openssl(
        tmp_path,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=us", "-keyout", "key.pem", "-out", "cert.pem"),
    )
    return (tmp_path / "cert.pem").read_text(), (tmp_path / "key.pem").read_text()


def echo(request: Request) -> Response:
    """Answer with all that was sent, as echoes do: plain, taken apart, escaped, and in the address of a redirect."""
    told = dict(request.headers)
    credentials = request.authorization
    body = {
        "headers": told,
        "body": request.get_data(as_text=True),
        "user": credentials and credentials.username,
        "password": credentials and credentials.password,
        "dump": json.dumps(told),
        "raw": base64.b64encode(str(request.headers).encode()).decode(),
        "query": quote(told["X-Odd"]),
    }
    mode = request.path.rpartition("/")[2]
    response = Response(json.dumps(body), {"fine": 200, "elsewhere": 302}.get(mode, 503), content_type=JSON)
    if mode == "text":
        response = Response(f"{told['X-Api-Key']} {told['X-Odd']} " * 500, 500, content_type="text/html")
    for name in ("Authorization", "X-Api-Key"):
        response.headers[f"Echo-{name}"] = told[name]
        response.headers[f"Echo-{quote(told[name], safe='')}"] = "yes"
    response.headers["Location"] = f"/next?key={quote(told['X-Odd'])}&token={told['X-Api-Key']}#{PASSWORD}"
    return response


def beat() -> None:
    now = timezone.now()
    dispatch.hand_over_due(claims.start_beat("test:1", now), now)


def everything_stored() -> Iterator[str]:
    """Every column of every table, as text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            for row in cursor.fetchall():
                yield f"{table}: {row}"


def clear_texts(signing_secrets: list[str], key: str) -> list[str]:
    """What would give a secret away, in whatever spelling."""
    basic = base64.b64encode(f"mara:{PASSWORD}".encode()).decode()
    odd = (ODD, json.dumps(ODD)[1:-1], json.dumps(json.dumps(ODD))[3:-3], quote(ODD), quote(ODD, safe=""), "odd+signs")
    line = key.splitlines()[5]
    encoded = [base64.b64encode(bytes(before) + TOKEN.encode()).decode()[4:-4] for before in range(3)]
    return [TOKEN, *encoded, PASSWORD, "sesame", basic, *odd, "odd%2Bsigns", line] + [
        secret.removeprefix("whsec_") for secret in signing_secrets
    ]


def test_planted_secrets_are_found_nowhere(
    program: Client,
    signed_in: Client,
    receiver: HTTPServer,
    client_key: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
    settings: LazySettings,
) -> None:
    caplog.set_level(logging.DEBUG)
    for path in ("/fine", "/elsewhere", "/broken", "/text"):
        receiver.expect_request(path).respond_with_handler(echo)
    basic = "Basic " + base64.b64encode(f"mara:{PASSWORD}".encode()).decode()
    signing_secrets, triggers = [], []
    for path in ("/fine", "/elsewhere", "/broken", "/text"):
        fields = {
            "api_endpoint": receiver.url_for(path),
            "headers": [
                {"name": "Authorization", "value": basic},
                {"name": "X-Api-Key", "value": f"Bearer {TOKEN}"},
                {"name": "X-Odd", "value": ODD},
            ],
            "client_certificate": client_key[0],
            "client_key": client_key[1],
            "success": {"json_path": "$.password", "json_equals": "fine"} if path == "/broken" else {},
            "retries": {"delays": [1]},
        }
        created = program.post("/api/triggers", fields, content_type=JSON).json()
        signing_secrets.append(created["signing_secret"])
        triggers.append(created["id"])
    answers: list[Any] = []
    for body_bytes in (4096, 333, 64 * 1024):  # cut at different places
        settings.RESPONSE_BODY_BYTES = body_bytes
        for pk in triggers:
            answers += [program.generic("POST", f"/triggers/{pk}/{verb}") for verb in ("fire", "test")]
        for _ in range(2):
            beat()
            Event.objects.unfinished().update(due_at=timezone.now(), hand_over_at=timezone.now())
    signing_secrets.append(program.post(f"/triggers/{triggers[0]}/signing_secret").json()["signing_secret"])
    answers.append(program.post("/triggers/test?wait_seconds=0", {"trigger_id": triggers[0]}, content_type=JSON))
    beat()

    assert len(receiver.log) == 3 * (4 + 4 + 3) + 1
    assert all(request.headers["X-Odd"] for request, _ in receiver.log)
    answers += [program.get("/triggers"), program.get("/event_logs"), program.get("/openapi.json")]
    for pk in triggers:
        shown = program.get(f"/triggers/{pk}")
        answers += [
            shown,
            signed_in.get(f"/dashboard/triggers/{pk}/"),
            signed_in.get(f"/dashboard/triggers/{pk}/edit/"),
        ]
        answers.append(program.put(f"/triggers/{pk}", {"headers": shown.json()["headers"]}, content_type=JSON))
        answers.append(program.put(f"/triggers/{pk}", {"retries": {"delays": [0]}}, content_type=JSON))
    for pk in Event.objects.values_list("pk", flat=True):
        answers += [program.get(f"/event_logs/{pk}"), signed_in.get(f"/dashboard/events/{pk}/")]
    assert {answer.status_code for answer in answers} == {200, 202, 422}
    stored = list(everything_stored())
    exported = StringIO()
    with pytest.raises(CommandError, match="is encrypted and is not exported"):
        call_command("dumpdata", stdout=exported)
    call_command("dumpdata", exclude=["triggers.recipe"], stdout=exported)
    places = {
        "the database": "\n".join(stored),
        "an answer": "\n".join(answer.content.decode() for answer in answers),
        "the log": caplog.text,
        "an export": exported.getvalue(),
        "a repr": repr([(recipe, recipe.route) for recipe in Recipe.objects.all()]),
    }
    for where, text in places.items():
        for secret in clear_texts(signing_secrets, client_key[1]):
            at = text.find(secret)
            assert at == -1, f"{secret} is in {where}: {text[max(0, at - 100) : at + 100]}"
    # They are masked, not left out with all that stands around them.
    attempt = Attempt.objects.filter(event__trigger=triggers[0]).latest("event_id")
    assert ["Authorization", MASK] in attempt.request_headers
    assert ["Echo-Authorization", MASK] in attempt.response_headers
    assert f'"password": "{MASK}"' in attempt.response_body
    assert '"Event-Attempt": "1"' in attempt.response_body
