"""Keys are replaced while the server works: nothing that waits is lost, and no secret."""

from __future__ import annotations

import subprocess
from collections import Counter

import pytest
from cryptography.fernet import Fernet
from pytest_httpserver import HTTPServer

from triggers.tests.clusters import MANAGE, wait
from triggers.tests.databases import Database

pytestmark = pytest.mark.cluster

FIRE_MANY = """
from django.utils import timezone
from triggers import definition, firing
trigger = definition.create({{"type": "api", "api_endpoint": {url!r}}}, timezone.now())
for _ in range({count}):
    firing.fire(trigger, timezone.now())
"""

MANY_SECRETS = """
from django.utils import timezone
from triggers import definition
definition.create({{"type": "scheduled", "schedule_type": "fixed_interval", "schedule_value": "1",
                    "api_endpoint": {url!r}, "headers": [["X-Token", "planted", True]]}}, timezone.now())
for number in range({count}):
    definition.create({{"type": "api", "name": str(number), "headers": [["X-Token", f"planted {{number}}", True]],
                        "api_endpoint": "https://example.com/"}}, timezone.now())
"""

EDIT = """
from django.utils import timezone
from triggers import definition
from triggers.models import Trigger
for trigger in Trigger.objects.filter(type="api").order_by("pk")[{start}:{start} + 20]:
    definition.change(trigger.pk, {{"headers": [["X-Token", "edited", True]]}}, timezone.now())
"""

READ_ALL = """
from triggers.models import Change, Recipe, Trigger
for each in Trigger.objects.select_related("recipe"):
    assert each.recipe.signing_secret
    print(each.recipe.headers[0][1])
list(Change.objects.values_list("fields"))
list(Recipe.objects.all())
"""


def test_hints_by_the_old_secret_key_delay_and_lose_nothing(database: Database, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    old = database.with_variables(SECRET_KEY="old" * 20)
    new = database.with_variables(SECRET_KEY="new" * 20)
    old.migrate()
    old.shell(FIRE_MANY.format(url=receiver.url_for("/hook"), count=50))  # their hints are on the queue

    with new.cluster():
        wait(lambda: database.ask("SELECT outcome, count(*) FROM triggers_event GROUP BY 1") == [("succeeded", 50)], 90)

    came = Counter(request.headers["webhook-id"] for request, _ in receiver.log)
    assert (len(came), set(came.values())) == (50, {1})
    assert database.ask("SELECT count(*) FROM django_q_ormq") == [(0,)]


def test_an_encryption_key_is_replaced_while_triggers_fire_and_are_edited(
    database: Database, receiver: HTTPServer
) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    before = database.with_variables(ENCRYPTION_KEYS=old)
    first = database.with_variables(ENCRYPTION_KEYS=f"{old},{new}")  # every process can read by both before
    second = database.with_variables(ENCRYPTION_KEYS=f"{new},{old}")  # any of them writes by the new one
    after = database.with_variables(ENCRYPTION_KEYS=new)
    before.migrate()
    before.shell(MANY_SECRETS.format(url=receiver.url_for("/hook"), count=100))

    with first.cluster():
        _wait_for_delivery(receiver)
        _begin_to_reencrypt(second)
        first.shell(EDIT.format(start=0))
        second.shell(EDIT.format(start=20))
        second.manage("reencrypt")
        _wait_for_delivery(receiver)
    with second.cluster():
        _wait_for_delivery(receiver)
        assert "secrets are encrypted by the first key" in second.manage("reencrypt")
        _wait_for_delivery(receiver)

    secrets = Counter(after.shell(READ_ALL).split("\n"))
    assert secrets["edited"] == 40
    assert {f"planted {number}" for number in range(40, 100)} < set(secrets)
    outcomes = dict(database.ask("SELECT outcome, count(*) FROM triggers_event GROUP BY 1"))
    assert set(outcomes) <= {"succeeded", "pending"}
    assert {request.headers["X-Token"] for request, _ in receiver.log} == {"planted"}


def _begin_to_reencrypt(database: Database) -> None:
    """Let it come as far as the first rows, and kill it."""
    secrets = "SELECT signing_secret FROM triggers_recipe ORDER BY id LIMIT 1"
    before = database.ask(secrets)
    with subprocess.Popen([*MANAGE, "reencrypt"], env=database.environment) as begun:
        wait(lambda: database.ask(secrets) != before, 60)
        begun.kill()


def _wait_for_delivery(receiver: HTTPServer) -> None:
    count = len(receiver.log)
    wait(lambda: len(receiver.log) > count, 60)
