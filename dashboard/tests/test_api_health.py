"""GET /healthz."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from triggers.models import Beat


def beat_seen(seconds_ago: float) -> None:
    seen_at = timezone.now() - timedelta(seconds=seconds_ago)
    Beat.objects.update_or_create(pk=Beat.ID, defaults={"seen_at": seen_at})


@pytest.mark.django_db
def test_it_is_well_while_the_beat_is_seen(client: Client) -> None:
    beat_seen(seconds_ago=14)

    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
@pytest.mark.parametrize("seconds_ago", [16, 3600])
def test_it_is_degraded_when_the_beat_fell_silent(client: Client, seconds_ago: float) -> None:
    beat_seen(seconds_ago)

    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (503, {"status": "degraded"})


@pytest.mark.django_db
def test_it_is_degraded_before_the_first_beat(client: Client) -> None:
    Beat.objects.all().delete()

    assert client.get("/healthz").status_code == 503


@pytest.mark.django_db(transaction=True)
def test_it_is_degraded_when_the_database_has_no_answer(client: Client) -> None:
    beat_seen(seconds_ago=0)

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE triggers_beat RENAME TO away")
        try:
            response = client.get("/healthz")
        finally:
            cursor.execute("ALTER TABLE away RENAME TO triggers_beat")

    assert (response.status_code, response.json()) == (503, {"status": "degraded"})
