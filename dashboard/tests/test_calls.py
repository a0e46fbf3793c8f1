"""How a program fires a trigger: the code on its page runs as it stands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from dashboard.calls import LONGEST_PAYLOAD, calls
from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_trigger

ODD: dict[str, Any] = {
    "it's": '<b> "quoted" `ticks` $HOME \\ \n\t€ 😀',
    "none": None,
    "yes": True,
    "list": [1, 2.5, {"a": []}],
}
# What an object of JavaScript would change.
LARGE: dict[str, Any] = {"id": 9007199254740993, "__proto__": {"a": 1}}
# Those that this machine can run.
LANGUAGES = [
    language
    for language, program in (("curl", "curl"), ("Python", "python3"), ("JavaScript", "node"), ("Go", "go"))
    if shutil.which(program)
]


def run(language: str, code: str, folder: Path, key: str) -> None:
    """Run the code as its reader would; fails where it does."""
    environment = {**os.environ, "ETP_KEY": key}
    if language == "curl":
        command = ["sh", "-c", code.replace("curl ", "curl --fail-with-body -sS ", 1)]
    elif language == "Python":
        (folder / "fire.py").write_text(code)
        command = [sys.executable, str(folder / "fire.py")]
    elif language == "JavaScript":
        (folder / "fire.mjs").write_text(code)
        command = ["node", str(folder / "fire.mjs")]
    else:
        (folder / "fire.go").write_text(code)
        command = ["go", "run", str(folder / "fire.go")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Trigger fired" in done.stdout


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "payload", [{"order_id": 10482}, ODD, LARGE, {}], ids=["plain", "odd", "large numbers", "empty"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_fires_with_just_that_payload(
    live_server: LiveServer, api_key: str, tmp_path: Path, language: str, payload: dict[str, Any]
) -> None:
    trigger = make_api_trigger(payload=payload)
    url = f"{live_server.url}/triggers/{trigger.pk}/fire"
    code = {call.language: call.code for call in calls(url, payload)}

    run(language, code[language], tmp_path, api_key)

    assert Event.objects.get().payload == payload


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_long_payload_is_left_to_the_trigger(
    live_server: LiveServer, api_key: str, tmp_path: Path, language: str
) -> None:
    payload = {"long": "x" * LONGEST_PAYLOAD}
    trigger = make_api_trigger(payload=payload)
    code = {call.language: call.code for call in calls(f"{live_server.url}/triggers/{trigger.pk}/fire", payload)}
    assert "xxx" not in code[language]

    run(language, code[language], tmp_path, api_key)

    assert Event.objects.get().payload == payload


def test_go_takes_the_text_in_a_string_that_says_the_same() -> None:
    assert 'strings.NewReader(`{"a": 1}`)' in calls("http://x/", {"a": 1})[3].code
    assert r'strings.NewReader("{\"a\": \"`\"}")' in calls("http://x/", {"a": "`"})[3].code
    assert '"strings"' not in calls("http://x/", {"long": "x" * LONGEST_PAYLOAD})[3].code


@pytest.mark.django_db
def test_the_page_of_an_api_trigger_has_all_four_and_that_of_a_scheduled_one_curl(signed_in: Client) -> None:
    page = signed_in.get(f"/dashboard/triggers/{make_api_trigger().pk}/").text
    for language in ("curl", "python", "javascript", "go"):
        assert f'id="call-{language}"' in page
    assert "Not fired in 24 h" in page

    page = signed_in.get(f"/dashboard/triggers/{make_trigger().pk}/").text
    assert 'id="call-curl"' in page
    assert 'id="call-go"' not in page
