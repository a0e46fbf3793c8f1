"""All of it behind pgbouncer in transaction mode: the road in this process, and a real cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import LazySettings
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from pytest_httpserver import HTTPServer

from triggers import claims, delivery, dispatch, firing
from triggers.models import Event, Trigger
from triggers.tests import clusters, poolers
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = pytest.mark.postgres

_MINUTE = timedelta(minutes=1)


@pytest.fixture
def pooled(tmp_path: Path, transactional_db: None, settings: LazySettings) -> Iterator[None]:
    """Go through a pooler for the length of a test."""
    settings.DATABASE_POOLER = True
    with poolers.started(tmp_path, os.environ["DATABASE_URL"]) as port:
        through_it = _connect_to({"HOST": "127.0.0.1", "PORT": port})
        yield
        _connect_to(through_it)


def _connect_to(place: dict[str, Any]) -> dict[str, Any]:
    """Use another place from now on, and return the one before."""
    connections.close_all()
    before = {name: connection.settings_dict[name] for name in place}
    connection.settings_dict.update(place)
    return before


def _fire(trigger: Trigger) -> Event:
    try:
        return firing.fire(trigger, timezone.now()).event
    finally:
        connection.close()  # the thread's own


def test_the_road_goes_through_a_pooler(
    pooled: None, receiver: HTTPServer, client: Client, signed_in: Client, api_key: str
) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    trigger = make_api_trigger(api_endpoint=receiver.url_for("/hook"))
    make_trigger(schedule_value="60", api_endpoint=receiver.url_for("/hook"), now=timezone.now() - _MINUTE)

    with ThreadPoolExecutor(8) as threads:
        events = list(threads.map(lambda _: _fire(trigger), range(40)))
    dispatch.hand_over_due(claims.start_beat("test:1", timezone.now()), timezone.now())
    assert delivery.deliver(list(Event.objects.values_list("pk", flat=True))) == len(events) + 1

    assert set(Event.objects.values_list("outcome", flat=True)) == {"succeeded"}
    assert f"{len(events) + 1}" in signed_in.get("/dashboard/").content.decode()
    assert signed_in.get("/dashboard/events/").status_code == 200
    exported = b"".join(signed_in.get("/dashboard/events/export/").streaming_content)  # type: ignore[attr-defined]
    assert exported.count(b"succeeded") == len(events) + 1
    listed = client.get("/event_logs?limit=1000", headers={"X-API-Key": api_key}).json()
    assert len(listed["logs"]) == len(events) + 1


@pytest.mark.cluster
def test_a_cluster_works_behind_a_pooler(tmp_path: Path, database_url: str, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    with poolers.started(tmp_path, database_url) as port:
        name = urlsplit(database_url).path.removeprefix("/")
        behind = f"postgres://anybody@127.0.0.1:{port}/{name}"
        environment = clusters.surroundings(tmp_path, behind) | {"DATABASE_POOLER": "true"}
        clusters.migrate(environment)
        with clusters.running(environment, receiver) as running:
            for _ in range(5):
                running.wait_for_delivery(20)
            alive = "SELECT workers FROM triggers_cluster WHERE stopped_at IS NULL"
            clusters.wait(lambda: running.ask(alive) == [(4,)], 30)
        with psycopg.connect(database_url) as server:
            outcomes = server.execute("SELECT DISTINCT outcome FROM triggers_event").fetchall()
    assert ("succeeded",) in outcomes
    assert ("failed",) not in outcomes
