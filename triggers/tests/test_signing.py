"""Signatures: the public vectors, the library's own receiver, and every way in which a secret can be wrong."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from standardwebhooks import Webhook, WebhookVerificationError

from triggers import signing

VECTORS: Path = settings.BASE_DIR.parent / "shared" / "vectors" / "webhooks" / "standard_webhooks.json"
needs_vectors = pytest.mark.skipif(not VECTORS.is_file(), reason="the public test vectors are not at ../shared/vectors")
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text())
    return found


@needs_vectors
def test_it_signs_as_the_public_vectors_say() -> None:
    for row in rows():
        signature = signing.sign([row["secret"]], row["id"], row["timestamp"], row["payload"].encode())

        assert (signature in row["signature"].split(" ")) is row["valid"], row["source"]


@needs_vectors
def test_the_secrets_of_the_public_vectors_are_accepted() -> None:
    for row in rows():
        signing.check_secret(row["secret"])


def test_it_signs_a_known_text() -> None:
    """One of the public vectors, so that something is said where they are not at hand."""
    body = b'{"test": 2432232314}'

    assert signing.sign([OLD], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def headers(secrets: list[str], body: bytes) -> dict[str, str]:
    timestamp = int(time.time())  # the library's receiver asks the clock
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign(secrets, "msg_1", timestamp, body),
    }


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"",
        b'{"a": 1.0,  "b" :[ ]}\n',  # spaces and all
        '{"name": "Grüße 🎉", "zero": "\\u0000"}'.encode(),
        "\ufeff\u2028\r\n\x00".encode(),
        b"x" * 262_144,
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_a_receiver_accepts_the_bytes_that_were_signed_and_no_others(body: bytes) -> None:
    sent = headers([OLD], body)

    Webhook(OLD).verify(body, sent, json_parse=False)
    for changed in (body + b" ", b" " + body):
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(changed, sent, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body, sent, json_parse=False)


def test_while_a_secret_is_replaced_a_receiver_may_know_either() -> None:
    sent = headers([NEW, OLD], b"{}")

    assert len(sent["webhook-signature"].split(" ")) == 2
    for known in (OLD, NEW):
        Webhook(known).verify(b"{}", sent, json_parse=False)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Los_Angeles"])
def test_the_zone_of_the_machine_does_not_count(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        signature = signing.sign([OLD], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    finally:
        monkeypatch.undo()
        time.tzset()

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# --- Secrets -----------------------------------------------------------------------------------------


def test_a_new_secret_is_accepted_and_never_the_same() -> None:
    made = {signing.new_secret() for _ in range(100)}

    assert len(made) == 100
    for secret in made:
        signing.check_secret(secret)


def of_bytes(count: int) -> str:
    return "whsec_" + base64.b64encode(b"k" * count).decode()


@pytest.mark.parametrize("text", [OLD, NEW, of_bytes(24), of_bytes(25), of_bytes(64)])
def test_it_takes_secrets_of_24_to_64_bytes(text: str) -> None:
    signing.check_secret(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with whsec_"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_"),
        (" " + OLD, "begins with whsec_"),
        ("WHSEC_" + OLD[6:], "begins with whsec_"),
        ("whsec_", "24 to 64 bytes; this is of 0"),
        (of_bytes(23), "24 to 64 bytes; this is of 23"),
        (of_bytes(65), "24 to 64 bytes; this is of 65"),
        (of_bytes(32).rstrip("="), "filled up with ="),
        (OLD + "\n", "comes base64"),
        (OLD.replace("9", "-"), "comes base64"),  # the alphabet of URLs, which receivers do not read
        (OLD.replace("9", "ß"), "comes base64"),
    ],
)
def test_it_says_why_a_text_is_no_secret_without_repeating_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        signing.check_secret(text)

    assert not text or text == "whsec_" or text not in str(caught.value)
