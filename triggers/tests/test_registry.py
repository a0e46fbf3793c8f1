"""The row of a cluster: kept by its watcher, who never waits for the database."""

from __future__ import annotations

import os
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from triggers import claims, dispatch, liveness, registry
from triggers.cluster import Watcher, _kill_group
from triggers.models import Beat, Cluster, Event
from triggers.registry import Registrar
from triggers.tests.clusters import wait
from triggers.tests.factories import make_trigger

NOW = timezone.now()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cluster, whose worker this process is."""
    monkeypatch.setenv(liveness.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.django_db
def test_it_says_who_lives_and_how_much_is_in_hand(
    folder: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (folder / f"worker-{dead.pid}").write_text("70 1000")
    liveness.show_hands(3, 40)
    registrar = Registrar(folder)

    registrar.write(NOW)
    liveness.show_hands(5, 42)
    with django_assert_num_queries(1):
        registrar.write(NOW + timedelta(seconds=3))

    row = Cluster.objects.get()
    assert (row.name, row.pid) == (registrar.name, os.getpid())
    assert (row.workers, row.delivering, row.stopped_at) == (1, 5, None)
    assert row.executed == 1042  # what the dead had finished still counts, once
    assert row.seen_at - NOW == timedelta(seconds=3)
    assert not (folder / f"worker-{dead.pid}").exists()


@pytest.mark.django_db
def test_what_dead_workers_had_finished_counts_when_their_cluster_is_started_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(liveness.NAME_VARIABLE, "")  # so that it is put back after the test
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    watcher = Watcher()
    dead = subprocess.Popen(["true"])
    dead.wait()
    (watcher.folder / f"worker-{dead.pid}").write_text("0 70")

    _kill_group(watcher._start())  # before it has a worker of its own
    watcher.registrar.write(NOW)

    row = Cluster.objects.get()
    assert (row.workers, row.executed) == (0, 70)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_in_order", [True, False])
def test_its_last_line_says_whether_it_stopped_in_order(folder: Path, is_in_order: bool) -> None:
    liveness.show_hands(2)
    registrar = Registrar(folder)
    registrar.start()
    registrar.stop(is_in_order)

    row = Cluster.objects.get(name=registrar.name)
    assert row.stopped_at
    assert (row.is_stopped_in_order, row.workers, row.delivering) == (is_in_order, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_hangs_holds_nobody_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "LAST_WORD_SECONDS", 0.2)
    registrar = Registrar(folder)
    with transaction.atomic():  # on SQLite this alone keeps others from writing
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE triggers_cluster")
        registrar.start()
        assert not registrar.stop(is_in_order=True)
        wait(lambda: registrar.is_held_up, 30)  # the watcher sees it, and takes no worker that waits for stuck

    monkeypatch.setattr(registry, "LAST_WORD_SECONDS", 30)
    assert registrar.stop(is_in_order=True)
    assert not registrar.is_held_up
    assert Cluster.objects.get().stopped_at


@pytest.mark.django_db
def test_the_beat_says_which_cluster_it_runs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(liveness.NAME_VARIABLE, "north-kilo-seven")
    dispatch.run_beat(lasts_seconds=0)
    assert Beat.objects.get().cluster == "north-kilo-seven"


@pytest.mark.django_db
def test_the_beat_says_how_much_it_has_handed_over() -> None:
    make_trigger(schedule_value="1", now=timezone.now())
    for _ in range(2):
        dispatch.run_beat(lasts_seconds=1.2)

    beat = Beat.objects.get()
    assert 0 < beat.executed < beat.handed_over  # the one before had its share
    assert beat.handed_over >= Event.objects.count()


@pytest.mark.django_db
def test_what_a_beat_did_last_counts_even_when_another_has_taken_its_place() -> None:
    old = claims.start_beat("old:1", NOW)
    assert claims.keep_beat(old, NOW, 5)
    claims.keep_beat(claims.start_beat("new:1", NOW), NOW, 30)
    claims.count_handed_over(old, 2)

    beat = Beat.objects.get()
    assert (beat.handed_over, beat.executed) == (37, 30)


@pytest.mark.parametrize(
    ("seen_before", "is_stopped", "leader", "state"),
    [
        (2, False, "north", Cluster.State.LEADER),
        (2, False, "south", Cluster.State.READY),
        (2, False, "", Cluster.State.READY),
        (16, False, "north", Cluster.State.SILENT),  # even while its beat goes on
        (301, False, "north", Cluster.State.GONE),
        (2, True, "north", Cluster.State.GONE),
        (-1, False, "north", Cluster.State.LEADER),  # its clock is a little ahead
    ],
)
def test_how_a_cluster_is(seen_before: int, is_stopped: bool, leader: str, state: str) -> None:
    seen_at = NOW - timedelta(seconds=seen_before)
    cluster = Cluster(name="north", seen_at=seen_at, stopped_at=seen_at if is_stopped else None)
    assert cluster.state(NOW, leader) == state
