"""GET /metrics."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import LazySettings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.conf import Conf
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from pytest_django import DjangoAssertNumQueries

from dashboard.models import ApiKey
from dashboard.permissions import SCOPES, Permission
from triggers import broker, claims
from triggers.models import Beat, CleanUp, Cluster, Event
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()


@pytest.fixture
def prometheus() -> Client:
    """A program with a key that reads metrics and nothing else, as Prometheus sends it."""
    clear = ApiKey.create("prometheus", [Permission.METRICS])[1]
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {clear}"})


def samples(program: Client) -> dict[tuple[str, str], float]:
    """Return what is said: (name without the prefix, the label's value or "") → value."""
    text = program.get("/metrics").text
    return {
        (sample.name.removeprefix("event_trigger_"), next(iter(sample.labels.values()), "")): sample.value
        for family in read_text(text)
        for sample in family.samples
    }


# --- What it says ----------------------------------------------------------------------------------------


def test_a_new_server_says_all_it_can(prometheus: Client) -> None:
    found = samples(prometheus)

    assert found["events_total", "succeeded"] == found["events_total", "failed"] == 0
    assert found["beat_age_seconds", ""] == found["clean_up_age_seconds", ""] == float("inf")
    assert found["queue_age_seconds", ""] == 0
    assert found["clusters", "leader"] == 0
    assert found["database_bytes", ""] > 0


def test_finished_events_count_by_outcome_with_their_times(prometheus: Client) -> None:
    trigger, now = make_trigger(), timezone.now()
    claims.count_finished(
        [
            *[claims.Finished(trigger.pk, "succeeded", now, False, 5.0, 0.004, 0.2)] * 3,
            claims.Finished(trigger.pk, "failed", now, False, None, 2.0, 70.0),
        ]
    )

    found = samples(prometheus)

    assert (found["events_total", "succeeded"], found["events_total", "failed"]) == (3, 1)
    assert (found["lateness_seconds_bucket", "0.005"], found["lateness_seconds_bucket", "+Inf"]) == (3, 4)
    assert found["lateness_seconds_sum", ""] == pytest.approx(2.012)
    assert (found["duration_seconds_bucket", "60.0"], found["duration_seconds_count", ""]) == (3, 4)


def test_what_waits_and_for_how_long(prometheus: Client) -> None:
    make_event(triggered_at=timezone.now() - timedelta(seconds=50))
    make_event(outcome="delivering")
    make_event(attempt_count=1, due_at=timezone.now() + timedelta(hours=1))
    make_event(outcome="failed")

    found = samples(prometheus)

    assert [found["queue_events", state] for state in ("waiting", "delivering", "retrying")] == [1, 1, 1]
    assert 50 <= found["queue_age_seconds", ""] < 110
    assert found["queue_messages", ""] >= 0  # in Redis, other tests beside this one may have sent some
    assert found["failed_for_good_events", ""] == 1


def test_who_works(prometheus: Client) -> None:
    now = timezone.now()
    for name, seconds in (("north", 1), ("south", 60), ("west", 4000)):
        Cluster.objects.create(
            name=name,
            host=f"{name}-host",
            pid=7,
            started_at=now - timedelta(hours=2),
            seen_at=now - timedelta(seconds=seconds),
            workers=4,
            delivering=9,
            executed=1234,
        )
    Beat.objects.update_or_create(
        pk=Beat.ID, defaults={"seen_at": now - timedelta(seconds=2), "cluster": "north", "handed_over": 70}
    )

    found = samples(prometheus)

    assert [found["clusters", state] for state in ("leader", "ready", "silent", "gone")] == [1, 0, 1, 1]
    assert found["cluster_executed_events_total", "north"] == 1234
    assert (found["cluster_workers", "north"], found["cluster_delivering_events", "north"]) == (4, 9)
    assert found["cluster_seen_age_seconds", "south"] >= 60
    assert ("cluster_workers", "west") not in found
    assert 2 <= found["beat_age_seconds", ""] < 60

    Beat.objects.update(seen_at=now + timedelta(hours=1))  # the clock was set back, and nothing beats since
    assert samples(prometheus)["beat_age_seconds", ""] > 3000
    assert found["handed_over_total", ""] == 70


def test_triggers_and_the_clean_up(prometheus: Client) -> None:
    make_trigger()
    make_api_trigger(enabled=False)
    broken = make_trigger(enabled=False)
    type(broken).objects.filter(pk=broken.pk).update(problem="Its zone is unknown.")
    CleanUp.objects.create(pk=CleanUp.ID, at=timezone.now() - timedelta(seconds=30))

    found = samples(prometheus)

    assert [found["triggers", state] for state in ("on", "off", "problem")] == [1, 1, 1]
    assert 30 <= found["clean_up_age_seconds", ""] < 90


def test_a_redis_that_is_away_costs_its_own_figure_only(
    prometheus: Client, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.REDIS_URL = "redis://:sesame-7719@127.0.0.1:1/0"
    monkeypatch.setattr(Conf, "BROKER_CLASS", "triggers.broker.RedisBroker")
    monkeypatch.setattr(Conf, "REDIS", settings.REDIS_URL)
    broker._asked.cache_clear()
    try:
        text = prometheus.get("/metrics").text
    finally:
        broker._asked.cache_clear()

    assert "queue_messages" not in text
    assert 'queue="redis"' in text
    assert "sesame" not in text


def test_no_name_of_a_trigger_and_nothing_of_an_event_is_in_it(prometheus: Client) -> None:
    trigger = make_api_trigger(name="Secret project", payload={"card": "4111"}, api_endpoint="https://a.example/x")
    make_event(trigger, outcome="failed", reason="It was refused")

    text = prometheus.get("/metrics").text

    assert not [word for word in ("Secret", "4111", "a.example", "refused") if word in text]


def test_it_asks_little_however_much_there_is(
    prometheus: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    trigger = make_api_trigger()
    for outcome in Event.Outcome.values * 3:
        make_event(trigger, outcome=outcome)

    with django_assert_max_num_queries(20):
        assert prometheus.get("/metrics").status_code == 200


# --- The form --------------------------------------------------------------------------------------------


def families(program: Client, accept: str, read: Any) -> tuple[str, list[Metric]]:
    answer = program.get("/metrics", headers={"Accept": accept})
    return answer["Content-Type"], list(read(answer.text))


def test_it_is_the_text_format_or_openmetrics_as_was_asked(prometheus: Client) -> None:
    kind, as_text = families(prometheus, "*/*", read_text)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"

    kind, as_openmetrics = families(prometheus, OPENMETRICS, read_openmetrics)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert len(as_openmetrics) == len(as_text) > 15
    assert "no-store" in prometheus.get("/metrics")["Cache-Control"]


@pytest.mark.parametrize("accept", ["text/plain;version=abc", ";;;,", "application/openmetrics-text;version=x", "a\tb"])
def test_no_wish_for_a_form_breaks_it(prometheus: Client, accept: str) -> None:
    assert prometheus.get("/metrics", headers={"Accept": accept}).status_code == 200


def test_names_keep_to_the_rules_of_prometheus(prometheus: Client) -> None:
    for family in families(prometheus, "*/*", read_text)[1]:
        assert re.fullmatch(r"event_trigger_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation.endswith((".", "more.")), family.name
        assert not family.name.endswith(("_count", "_sum", "_bucket", "_milliseconds"))


# --- Who may see it --------------------------------------------------------------------------------------


def test_without_a_key_it_is_closed(client: Client) -> None:
    answer = client.get("/metrics")

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "event_trigger" not in answer.text


def test_a_key_needs_the_scope_and_all_triggers() -> None:
    others = ApiKey.create("shop", [scope for scope in SCOPES if scope != Permission.METRICS])[1]
    limited = ApiKey.create("mine", [Permission.METRICS], triggers=[make_trigger()])[1]

    refused = [Client(headers={"X-API-Key": clear}).get("/metrics") for clear in (others, limited)]

    assert [answer.status_code for answer in refused] == [403, 403]
    assert "may not read metrics: it lacks the scope “metrics”" in refused[0].json()["message"]
    assert "limited to chosen triggers. Metrics are about all of them" in refused[1].json()["message"]


def test_a_key_for_metrics_reads_nothing_else(prometheus: Client) -> None:
    assert [prometheus.get(path).status_code for path in ("/triggers", "/event_logs")] == [403, 403]


def test_whoever_may_see_system_health_may_see_it(client: Client, viewer: Any) -> None:
    client.force_login(viewer)

    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    ("address", "status"),
    [("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("fd00::7", 200), ("192.0.2.1", 401), ("", 401)],
)
def test_the_networks_named_need_no_key(client: Client, settings: LazySettings, address: str, status: int) -> None:
    settings.METRICS_ALLOWED_NETWORKS = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]

    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status
    # And they open nothing else.
    assert client.get("/triggers", REMOTE_ADDR=address).status_code == 401


def test_a_wrong_key_is_wrong_from_everywhere(client: Client, settings: LazySettings) -> None:
    settings.METRICS_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]

    assert client.get("/metrics", headers={"Authorization": "Bearer etp_nothing"}).status_code == 401


@pytest.mark.parametrize(
    ("is_behind", "forwarded", "status"),
    [
        (True, "192.0.2.1, 10.0.0.7", 200),  # as the proxy has seen it
        (True, "10.0.0.7, 192.0.2.1", 401),  # what stands before is the client's word
        (False, "10.0.0.7", 401),  # nobody in front
    ],
)
def test_behind_a_proxy_it_is_the_address_that_the_proxy_has_seen(
    client: Client, settings: LazySettings, is_behind: bool, forwarded: str, status: int
) -> None:
    settings.BEHIND_HTTPS = is_behind
    settings.METRICS_ALLOWED_NETWORKS = [ipaddress.ip_network("10.0.0.0/8")]

    answer = client.get("/metrics", REMOTE_ADDR="192.0.2.9", headers={"X-Forwarded-For": forwarded})

    assert answer.status_code == status


# --- What the docs say of it -----------------------------------------------------------------------------


def _rules() -> dict[str, str]:
    """Return the alert rules of the docs: name → expression."""
    blocks = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)]
    [groups] = [block["groups"] for block in blocks if "groups" in block]
    rules = [rule for group in groups for rule in group["rules"]]
    assert all(rule["labels"]["severity"] and rule["annotations"]["summary"] for rule in rules)
    return {rule["alert"]: rule["expr"] for rule in rules}


def test_every_metric_is_in_the_docs_with_its_type_and_no_other(prometheus: Client) -> None:
    table = dict(re.findall(r"^\| `(event_trigger_\w+)` \| (\w+) \|", OPERATIONS.read_text(), re.MULTILINE))
    said = dict(re.findall(r"^# TYPE (\S+) (\w+)$", prometheus.get("/metrics").text, re.MULTILINE))

    if connection.vendor != "sqlite":
        del table["event_trigger_disk_free_bytes"]
    assert table == said


def test_the_rules_of_the_docs_ask_for_what_there_is(prometheus: Client) -> None:
    make_event(outcome="failed")
    families = list(read_text(prometheus.get("/metrics").text))
    there = {sample.name for family in families for sample in family.samples} | {"up"}
    values = {value for family in families for sample in family.samples for value in sample.labels.values()}

    for name, expression in _rules().items():
        without_labels = re.sub(r"\{.*?\}|\[.*?\]", "", expression)
        asked = set(re.findall(r"\b(?:event_trigger_\w+|up)\b", without_labels))
        assert asked, name
        if connection.vendor == "sqlite":
            assert asked <= there, name
        for wanted in re.findall(r'(?:state|outcome|cause)=~?"([^"]*)"', expression):
            assert set(wanted.split("|")) <= values, name
        assert expression.count("(") == expression.count(")"), name


def test_the_rules_of_the_docs_cover_what_matters_most() -> None:
    covered = " ".join(_rules().values())

    for metric in ("beat_age_seconds", "queue_age_seconds", 'outcome="failed"', 'state="silent"'):
        assert metric in covered
