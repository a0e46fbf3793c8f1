"""An update, and a backup of an older version, with events that wait: none is lost, none is sent twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from triggers.tests.clusters import wait
from triggers.tests.databases import Database

pytestmark = pytest.mark.cluster

OLD = ("triggers", "0003_deliveries_to_trust")  # deliveries were part of the triggers themselves

# As that version would have left it when its processes were killed: 400 wait, 100 are in the hands of nobody.
FILL = """
from datetime import timedelta
from django.utils import timezone
from triggers.backups import schema
apps, _ = schema.of_database()
Trigger, Event = apps.get_model("triggers", "Trigger"), apps.get_model("triggers", "Event")
now = timezone.now()
trigger = Trigger.objects.create(name="old", type="api", starts_at=now, api_endpoint={url!r})
held = dict(outcome="delivering", token="theirs", attempt_count=1, hand_over_at=now + timedelta(seconds=20))
waits = dict(outcome="pending", hand_over_at=now)
Event.objects.bulk_create(
    Event(trigger=trigger, source="api", payload={{"n": n}}, endpoint=trigger.api_endpoint, triggered_at=now,
          due_at=now, **(held if n < 100 else waits))
    for n in range(500)
)
"""


@pytest.fixture
def old(database: Database, receiver: HTTPServer) -> Database:
    """A database of an older version with 500 events that are to be delivered to the receiver."""
    receiver.expect_request("/hook").respond_with_data("ok")
    database.migrate(*OLD)
    database.shell(FILL.format(url=receiver.url_for("/hook")))
    return database


def test_what_waited_before_an_update_is_delivered_after_it(old: Database, receiver: HTTPServer) -> None:
    old.migrate()

    with old.cluster():
        wait(lambda: _outcomes(old) == [("succeeded", 500)], 240)

    _assert_each_came_once(receiver)


def test_what_waited_in_an_older_backup_is_delivered_after_its_restore(
    old: Database, empty: Database, receiver: HTTPServer, tmp_path: Path
) -> None:
    # A database that is not up to date is backed up as it is.
    old.manage("backup", str(tmp_path / "kept"))

    said = empty.manage("restore", str(tmp_path / "kept"))
    with empty.cluster():
        wait(lambda: _outcomes(empty) == [("succeeded", 500)], 240)

    assert "Restored: 501 rows" in said
    _assert_each_came_once(receiver)
    assert empty.ask("SELECT count(*) FROM triggers_recipe") == [(1,)]  # what that version did not have yet


def _outcomes(database: Database) -> list[tuple[str, int]]:
    return database.ask("SELECT outcome, count(*) FROM triggers_event GROUP BY 1")


def _assert_each_came_once(receiver: HTTPServer) -> None:
    came = Counter(request.headers["webhook-id"] for request, _ in receiver.log)
    assert (len(came), set(came.values())) == (500, {1})
