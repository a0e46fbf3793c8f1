"""The courier begins every parcel at its instant and lets no host delay the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from triggers import outbound
from triggers.courier import Courier


@dataclass(slots=True)
class Parcel:
    """Takes `seconds` to deliver, to one of several hosts; notes when it was begun."""

    lane: str = "quick"
    seconds: float = 0.0
    due: float = field(default_factory=time.time)
    lane_limit: int = 4
    may_begin: bool = True
    begun_at: float = 0.0
    shared_host: str = ""
    host_limit: int = 256

    @property
    def host(self) -> str:
        return self.shared_host or self.lane


@dataclass
class Road:
    """A running courier, and what it has done."""

    courier: Courier[Parcel]
    done: list[Parcel]
    put_back: list[Parcel]
    running: Counter[str]
    most: Counter[str]

    def wait_for(self, reached: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + 30
        while not reached():
            assert time.monotonic() < ends_at, "it did not come to that within half a minute"
            time.sleep(0.005)


@pytest.fixture
def road() -> Iterator[Road]:
    done: list[Parcel] = []
    put_back: list[Parcel] = []
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def begin(session: aiohttp.ClientSession, parcel: Parcel) -> bool:
        parcel.begun_at = time.time()
        running[parcel.lane] += 1
        most[parcel.lane] = max(most[parcel.lane], running[parcel.lane])
        await asyncio.sleep(parcel.seconds)
        running[parcel.lane] -= 1
        done.append(parcel)
        return parcel.seconds >= 0.2  # such a host is slow

    made = Courier(lambda connections: outbound.open_session([], connections), begin, put_back.append)
    yield Road(made, done, put_back, running, most)
    made.close()


def test_a_host_that_hangs_does_not_delay_the_others(road: Road) -> None:
    hanging = [Parcel("hangs", seconds=20) for _ in range(1000)]
    quick = [Parcel("quick") for _ in range(200)]

    road.courier.accept(hanging)
    road.courier.accept(quick)

    road.wait_for(lambda: len(road.done) == 200)
    assert all(parcel.lane == "quick" for parcel in road.done)
    assert road.most["hangs"] == 4


def test_many_hosts_that_hang_share_what_there_is_and_give_others_their_turn(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road.courier.room, "limit", 8)
    for host in range(4):
        road.courier.accept([Parcel(f"slow {host}", seconds=0.25) for _ in range(20)])
    road.courier.accept([Parcel("quick") for _ in range(20)])

    road.wait_for(lambda: sum(parcel.lane == "quick" for parcel in road.done) == 20)
    # Every slow one has most of its own still before it.
    slow = Counter(parcel.lane for parcel in road.done)
    assert all(slow[f"slow {host}"] < 20 for host in range(4))


def test_nothing_is_begun_early_and_the_soonest_goes_first(road: Road) -> None:
    now = time.time()
    parcels = [Parcel(due=now + wait) for wait in (0.5, 0.2, 0.4, 0.1)]

    road.courier.accept(parcels)

    road.wait_for(lambda: len(road.done) == 4)
    assert all(parcel.begun_at >= parcel.due for parcel in parcels)
    assert [round(parcel.due - now, 1) for parcel in road.done] == [0.1, 0.2, 0.4, 0.5]


def test_what_is_due_now_does_not_wait_behind_what_is_due_later(road: Road) -> None:
    road.courier.accept([Parcel(due=time.time() + 1.5) for _ in range(50)])

    road.courier.accept([Parcel()])

    road.wait_for(lambda: len(road.done) == 1)
    assert time.time() < min(parcel.due for parcel in road.done) + 1.5


def test_a_lane_keeps_to_its_limit_and_to_less_while_its_host_is_slow(road: Road) -> None:
    road.courier.accept([Parcel("slow", seconds=0.2, lane_limit=8) for _ in range(24)])
    road.wait_for(lambda: len(road.done) == 24)
    assert road.most["slow"] == 8

    road.most.clear()
    road.courier.accept([Parcel("slow", seconds=0.2, lane_limit=8) for _ in range(6)])
    road.wait_for(lambda: len(road.done) == 30)
    assert road.most["slow"] == 2  # a quarter

    # It answers again: step by step it gets all of its limit back.
    road.courier.accept([Parcel("slow", seconds=0.001, lane_limit=8) for _ in range(200)])
    road.wait_for(lambda: len(road.done) == 230)
    road.most.clear()
    road.courier.accept([Parcel("slow", seconds=0.1, lane_limit=8) for _ in range(16)])
    road.wait_for(lambda: len(road.done) == 246)
    assert road.most["slow"] == 8


def test_what_may_not_begin_any_more_is_put_back(road: Road) -> None:
    road.courier.accept([Parcel(seconds=0.5) for _ in range(4)])
    waiting = [Parcel() for _ in range(3)]
    road.courier.accept(waiting)
    for parcel in waiting:
        parcel.may_begin = False

    road.courier.put_back_waiting()

    road.wait_for(lambda: len(road.put_back) == 3)
    road.wait_for(lambda: len(road.done) == 4)
    assert all(parcel.begun_at == 0 for parcel in waiting)


def test_none_is_lost_where_its_time_runs_out_while_they_are_put_back(road: Road) -> None:
    @dataclass(slots=True)
    class Fleeting(Parcel):
        asked: int = 0

        def __getattribute__(self, name: str) -> Any:
            if name == "may_begin":  # the first answer is another than all later ones
                object.__setattr__(self, "asked", object.__getattribute__(self, "asked") + 1)
                return object.__getattribute__(self, "asked") > 1
            return object.__getattribute__(self, name)

    road.courier.accept([Parcel(seconds=0.3) for _ in range(4)])
    road.courier.accept([Fleeting() for _ in range(20)])

    road.courier.put_back_waiting()

    road.wait_for(lambda: len(road.done) + len(road.put_back) == 24)
    assert len(road.put_back) == 20


def test_a_lane_that_is_starved_gets_its_turn_among_hosts_that_are_well(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road.courier.room, "limit", 4)
    road.courier.accept([Parcel("busy", seconds=0.01) for _ in range(100)])
    road.courier.accept([Parcel("other", seconds=0.01) for _ in range(2)])

    road.wait_for(lambda: len(road.done) == 102)
    assert [parcel.lane for parcel in road.done].index("other") < 20


def test_all_lanes_of_a_host_share_its_room_in_turn(road: Road) -> None:
    """Triggers with limits of their own that go to one host."""
    road.courier.accept(
        [Parcel(f"trigger {number % 10}", seconds=0.01, shared_host="one", host_limit=3) for number in range(60)]
    )
    road.courier.accept([Parcel("another", seconds=0.01)])

    most = 0
    while len(road.done) < 61:
        most = max(most, sum(running for lane, running in road.running.items() if lane != "another"))
        time.sleep(0.0005)
    assert most <= 3
    assert {parcel.lane for parcel in road.done[:40]} == {*(f"trigger {number}" for number in range(10)), "another"}


def test_a_limit_that_is_lowered_holds_at_once(road: Road) -> None:
    road.courier.accept([Parcel(seconds=0.1, lane_limit=8) for _ in range(8)])
    road.wait_for(lambda: road.running["quick"] == 8)
    road.courier.accept([Parcel(seconds=0.01, lane_limit=1) for _ in range(5)])
    road.wait_for(lambda: len(road.done) == 8)
    road.most.clear()

    road.wait_for(lambda: len(road.done) == 13)
    assert road.most["quick"] <= 1


def test_what_lies_far_ahead_since_the_clock_was_set_back_is_put_back(road: Road) -> None:
    road.courier.accept([Parcel(due=time.time() + 3600)])

    road.wait_for(lambda: len(road.put_back) == 1)


def test_parcels_come_from_several_threads_at_once(road: Road) -> None:
    threads = [threading.Thread(target=road.courier.accept, args=([Parcel() for _ in range(50)],)) for _ in range(8)]
    for thread in threads:
        thread.start()

    road.wait_for(lambda: len(road.done) == 400)
