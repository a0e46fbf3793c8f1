"""The comparison with what others use: its receiver, what it counts, its programs, and what it says of a miss."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
import urllib.request
from pathlib import Path

import pytest

from triggers.peers import processes, table
from triggers.peers.comparison import Order, Result, Steady, compare, next_rate
from triggers.peers.contenders import BARE, CONTENDERS, OURS
from triggers.peers.measure import PROGRAMS, Run, running
from triggers.peers.receiver import receiver

BY_NAME = {contender.name: contender for contender in CONTENDERS}
NOWHERE = Path("/nowhere/python")


def run(size: int, drained_in: float, came: int | None = None, *, is_over_time: bool = False) -> Run:
    count = size if came is None else came
    return Run(size, count, drained_in, [drained_in] * count, 0.001 * count, 60, is_over_time=is_over_time)


def post(url: str, **body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()


def spend(seconds: float) -> None:
    ends_at = time.process_time() + seconds
    while time.process_time() < ends_at:
        pass


def test_the_receiver_measures_lateness_by_what_the_request_says() -> None:
    with receiver(10) as arrivals:
        post(arrivals.url, n=3, due=time.time() - 60)
        post(arrivals.url, n=4, due=time.time() + 60)
        post(arrivals.url, n=4, due=time.time() + 60)
    early, late = arrivals.lateness(3, 2)
    assert (arrivals.came(0, 10), arrivals.again.value) == (2, 1)
    assert early < -50
    assert late >= 60


def test_the_cost_of_a_process_has_that_of_its_children_in_it_also_when_they_are_gone() -> None:
    before = processes.cpu_seconds(os.getpid())
    child = multiprocessing.get_context("fork").Process(target=spend, args=(0.2,))
    child.start()
    child.join()
    assert processes.cpu_seconds(os.getpid()) - before >= 0.15


def test_a_herd_falls_due_at_one_second_and_every_event_of_it_comes() -> None:
    with running(BY_NAME[BARE], NOWHERE, connections=4) as measured:
        herd = measured.herd(20, limit=30)
        stretch = measured.herd(5, limit=30, seconds=2)
    assert (herd.came, herd.early, herd.is_over_time) == (20, 0, False)
    assert (stretch.came, stretch.size) == (10, 10)
    assert measured.arrivals.again.value == 0


def test_a_program_ends_with_all_its_processes() -> None:
    with running(BY_NAME["aiohttp alone, 3 processes"], NOWHERE, connections=6) as measured:
        everything = processes.tree(measured.process.pid)
    assert len(everything) == 4
    assert not [pid for pid in everything if Path(f"/proc/{pid}").exists()]


def test_a_contender_that_cannot_be_measured_is_left_out_in_words() -> None:
    celery = [contender for contender in CONTENDERS if contender.program == "with_celery"][:1]
    results = compare(celery, Order([10], 1, 10, 0, 4, NOWHERE), lambda words: None)
    assert "left out: there is no /nowhere/python" in table.markdown(results)


def test_the_table_sets_each_beside_ours_and_the_bare_client() -> None:
    results = [
        Result(BY_NAME[OURS], {100: [run(100, 0.2), run(100, 0.1), run(100, 0.3)]}, Steady(50, run(100, 2.0), True)),
        Result(BY_NAME[BARE], {100: [run(100, 0.1)]}),
        Result(CONTENDERS[-1], {100: [run(100, 2.0)]}, Steady(20, run(40, 4.0), False)),
    ]
    rows = {row.split(" | ")[0]: row for row in table.markdown(results).splitlines()[:7]}
    assert rows[f"| {OURS}"].endswith("| 3 | all | 0.200 s | 0.200 s | 0.200 s | 0 | 1.00 ms | 1.0 | 0.500 |")
    assert rows[f"| {CONTENDERS[-1].name}"].endswith("| 10.0 | 0.050 |")
    assert "10, with a growing delay" in table.markdown(results)


@pytest.mark.parametrize(
    ("runs", "begins", "ends"),
    [
        ([run(100, 1.1, 40)], "| 40, 60 missed | 1.10 s |", "| – | – |"),
        ([run(100, 59.9, 40, is_over_time=True)], "| 40 so far | not within 60 s |", "| > 300 | < 0.002 |"),
    ],
)
def test_what_did_not_come_is_said(runs: list[Run], begins: str, ends: str) -> None:
    results = [
        Result(BY_NAME[OURS], {100: [run(100, 0.2)]}),
        Result(BY_NAME[BARE], {100: [run(100, 0.1)]}),
        Result(CONTENDERS[-1], {100: runs}),
    ]
    row = next(row for row in table.markdown(results).splitlines() if row.startswith(f"| {CONTENDERS[-1].name}"))
    assert begins in row
    assert row.endswith(ends)


@pytest.mark.parametrize(
    ("tried", "then"),
    [
        ([(100, True)], 125),
        ([(100, True), (125, True)], 156),
        ([(100, True), (125, False)], 0),  # the limit lies between them
        ([(100, False)], 68),  # 80 a second came
        ([(100, False), (68, True)], 0),
        ([(100, True), (125, True), (156, True)], 0),  # enough
    ],
)
def test_the_steady_load_is_looked_for_in_steps(tried: list[tuple[int, bool]], then: int) -> None:
    assert next_rate([Steady(offered, run(400, 5.0), keeps_up) for offered, keeps_up in tried]) == then


def test_every_contender_has_its_program() -> None:
    assert {contender.program for contender in CONTENDERS} <= {path.stem for path in PROGRAMS.glob("*.py")}
    assert len(BY_NAME) == len(CONTENDERS)
