"""Signatures by which a receiver knows that a request is ours and unchanged: Standard Webhooks, version 1. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import secrets as random
from collections.abc import Sequence
from datetime import UTC, datetime

from django.utils.translation import gettext as _
from standardwebhooks import Webhook

PREFIX = "whsec_"
FEWEST_BYTES, MOST_BYTES = 24, 64  # of a secret, as the specification says
_NEW_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret: 32 random bytes, as text."""
    return PREFIX + base64.b64encode(random.token_bytes(_NEW_BYTES)).decode()


def check_secret(text: str) -> None:
    """Raise ValueError when the text is no secret of Standard Webhooks; the words do not repeat it."""
    if not text.startswith(PREFIX):
        raise ValueError(_("A signing secret begins with %(prefix)s.") % {"prefix": PREFIX})
    try:
        length = len(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except (binascii.Error, ValueError) as error:
        words = _("After %(prefix)s comes base64: letters, digits, + and /, filled up with = to fours.")
        raise ValueError(words % {"prefix": PREFIX}) from error
    if not FEWEST_BYTES <= length <= MOST_BYTES:
        words = _("After %(prefix)s comes the base64 of %(least)s to %(most)s bytes; this is of %(length)s.")
        raise ValueError(words % {"prefix": PREFIX, "least": FEWEST_BYTES, "most": MOST_BYTES, "length": length})


def sign(secrets: Sequence[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`: a signature by each secret, with a space between.

    `timestamp`: seconds since 1970, the same as in `webhook-timestamp`. `body`: the bytes that are sent, in UTF-8.
    Two secrets are given while one replaces the other, so that the receiver may know either.
    """
    # The library takes a time and a text. It reads any time as UTC, and encodes the text to the bytes it came from.
    at, text = datetime.fromtimestamp(timestamp, UTC), body.decode("utf-8")
    return " ".join(Webhook(secret).sign(webhook_id, at, text) for secret in secrets)
