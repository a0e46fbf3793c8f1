"""The real cluster as a process: it fires, survives what is killed in it, and stops without a trace."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from triggers.tests.clusters import Cluster, wait

pytestmark = pytest.mark.cluster

FIRE_MANY = """
from django.utils import timezone
from triggers import definition, firing
trigger = definition.create({{"type": "api", "api_endpoint": {url!r}}}, timezone.now())
for _ in range({count}):
    firing.fire(trigger, timezone.now())
"""


def test_it_goes_on_when_its_processes_are_killed(cluster: Cluster) -> None:
    os.kill(cluster.beat(), signal.SIGKILL)
    cluster.wait_for_delivery(20)
    # All workers but the beat: idle ones among them, which leaves the lock of their queue held.
    for worker in cluster.workers()[:3]:
        os.kill(worker, signal.SIGKILL)
    cluster.wait_for_delivery(60)
    os.kill(cluster.guard(), signal.SIGKILL)
    cluster.wait_for_delivery(60)
    os.kill(cluster.head(), signal.SIGKILL)
    cluster.wait_for_delivery(60)

    instants = cluster.ask("SELECT scheduled_for FROM triggers_event")
    assert len(instants) == len(set(instants))  # no instant twice
    assert cluster.ask("SELECT count(*) FROM triggers_event WHERE first_sent_at < scheduled_for") == [
        (0,)
    ]  # none early


def test_a_host_that_hangs_delays_no_other(cluster: Cluster) -> None:
    # Nobody accepts: the system completes the connections, and no answer ever comes.
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        cluster.shell(FIRE_MANY.format(url=url, count=500))
        wait(lambda: cluster.ask("SELECT count(*) FROM triggers_event WHERE outcome = 'delivering'")[0][0] > 50, 60)

        for _ in range(5):
            cluster.wait_for_delivery(20)

        # All of those still have most of their way before them; of the others the last one at most is under way.
        outcomes = cluster.ask("SELECT endpoint, outcome, count(*) FROM triggers_event GROUP BY 1, 2")
        hanging = {outcome for endpoint, outcome, _ in outcomes if endpoint == url}
        others = {outcome: count for endpoint, outcome, count in outcomes if endpoint != url}
        assert hanging <= {"pending", "delivering"}
        assert others.pop("succeeded") >= 5
        assert sum(others.values()) <= 2


def test_it_stops_cleanly_and_leaves_nothing_in_its_hands(cluster: Cluster) -> None:
    cluster.processes()

    cluster.watcher.terminate()

    assert cluster.watcher.wait(60) == 0
    assert cluster.processes() == []
    outcomes = dict(cluster.ask("SELECT outcome, count(*) FROM triggers_event GROUP BY 1"))
    assert "delivering" not in outcomes
    assert outcomes["succeeded"] >= 1


def test_it_keeps_its_row_and_outlives_the_loss_of_it(cluster: Cluster) -> None:
    row = "SELECT name, workers FROM triggers_cluster"
    wait(lambda: cluster.ask(row) == cluster.ask("SELECT cluster, 4 FROM triggers_beat"), 30)

    cluster.do("ALTER TABLE triggers_cluster RENAME TO elsewhere")
    cluster.wait_for_delivery(20)
    cluster.do("DELETE FROM elsewhere")
    cluster.do("ALTER TABLE elsewhere RENAME TO triggers_cluster")
    wait(lambda: bool(cluster.ask(row)), 30)

    cluster.watcher.terminate()
    assert cluster.watcher.wait(60) == 0
    stopped = "SELECT workers FROM triggers_cluster WHERE stopped_at IS NOT NULL AND is_stopped_in_order"
    assert cluster.ask(stopped) == [(0,)]


def test_nothing_goes_on_when_its_watcher_is_killed(cluster: Cluster) -> None:
    assert cluster.processes()

    cluster.watcher.kill()

    wait(lambda: not cluster.processes(), 30)
