"""The loads of `manage.py benchmark`: they fire what they say, and count the processor time of a whole cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from triggers import loads

BUSY = "import time\nends = time.process_time() + 0.3\nwhile time.process_time() < ends: pass"


def test_it_counts_the_time_of_a_process_and_of_what_runs_and_has_ended_below_it() -> None:
    below = f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {BUSY!r}])\ntime.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", below])
    try:
        ends_at = time.monotonic() + 30
        while loads.cpu_seconds([process.pid]) < 0.3 and time.monotonic() < ends_at:
            time.sleep(0.05)

        assert loads.cpu_seconds([process.pid]) >= 0.3
        assert loads.cpu_seconds([]) == 0
    finally:
        process.kill()
        process.wait()


def test_it_finds_the_process_above_another_by_its_name() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert loads.parent_of(process.pid, "p") == os.getpid()
        assert loads.parent_of(process.pid, "postgres") == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.cluster
def test_a_steady_load_is_borne_to_the_last_event() -> None:
    borne = loads.bear(loads.Load(rate=20, seconds=3, every=1, is_signed=True), "", "")

    assert (borne.due, borne.delivered, borne.unfinished) == (60, 60, 0)
    assert borne.cluster_ms > 0
    assert "60 of 60 delivered" in str(borne)


def test_a_poll_claims_all_that_falls_due_at_last() -> None:
    found = loads.poll(triggers=300, passes=3, due=120, database_url="", redis_url="")

    assert len(found["idle"]) == 3
    assert found["events"] == 120
