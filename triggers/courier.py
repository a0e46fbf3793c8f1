"""Keeps requests going, side by side and fairly: no endpoint that hangs may delay the others.

A loop in a thread of its own, with one HTTP session; both live as long as the process. Parcels wait in lanes until
their exact instant: one for every host, and one for every trigger that has a limit of its own. A lane has a limit of
requests at once, and a smaller one while its host does not answer in time; all lanes of a host share the room that
the host has. So however many events are for a host that hangs, there is room for all others.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import aiohttp

try:
    from uvloop import new_event_loop as new_loop
except ImportError:
    from asyncio import new_event_loop as new_loop  # type: ignore[assignment]

logger = logging.getLogger(__name__)

AT_ONCE = 256  # requests of one worker
FAR_OFF = 2.0  # seconds; so far ahead is handed over only where the clock was set back since


class Waiting(Protocol):
    """What waits in a lane."""

    @property
    def due(self) -> float: ...  # epoch seconds, never to be begun earlier
    @property
    def lane(self) -> str: ...
    @property
    def lane_limit(self) -> int: ...  # requests at once
    @property
    def host(self) -> str: ...
    @property
    def host_limit(self) -> int: ...  # requests at once, of all lanes that lead there
    @property
    def may_begin(self) -> bool: ...  # asked again right before


T = TypeVar("T")
P = TypeVar("P", bound=Waiting)


@dataclass(slots=True)
class _Room(Generic[P]):
    """So many requests at once, of all lanes that share it; those that could go on but for it wait for their turn."""

    limit: int
    running: int = 0
    starved: deque[_Lane[P]] = field(default_factory=deque)

    @property
    def is_full(self) -> bool:
        return self.running >= self.limit

    def keep_waiting(self, lane: _Lane[P]) -> None:
        if not lane.is_starved:
            lane.is_starved = True
            self.starved.append(lane)


@dataclass(slots=True)
class _Lane(Generic[P]):
    """What waits for one host, or for one trigger, soonest first."""

    limit: int
    host: str
    rooms: tuple[_Room[P], ...]  # the worker's, and that of its host
    waiting: list[tuple[float, int, P]] = field(default_factory=list)
    at_once: float = 0  # what the limit is now
    running: int = 0
    timer: asyncio.TimerHandle | None = None
    is_starved: bool = False  # it could go on but for one of its rooms

    def __post_init__(self) -> None:
        self.at_once = self.limit

    def learn(self, was_slow: bool) -> None:
        """Fewer at once where answers do not come in time, and slowly more again when they do."""
        if was_slow:
            self.at_once = max(self.at_once / 2, self.limit / 4, 1)
        elif self.at_once < self.limit:
            self.at_once = min(self.at_once + 1 / self.at_once, self.limit)


class Courier(Generic[P]):
    """`begin` makes the request of a parcel and returns whether its host was slow; `put_back` takes one that cannot be
    begun. Both run on the loop's thread and never raise."""

    def __init__(
        self,
        open_session: Callable[[int], aiohttp.ClientSession],
        begin: Callable[[aiohttp.ClientSession, P], Awaitable[bool]],
        put_back: Callable[[P], None],
    ) -> None:
        self._begin, self._put_back = begin, put_back
        self._lanes: dict[str, _Lane[P]] = {}
        self.room: _Room[P] = _Room(AT_ONCE)
        self._hosts: dict[str, _Room[P]] = {}
        self._number = 0  # of parcels so far, which settles who of two with one instant goes first
        self._loop = new_loop()
        threading.Thread(target=self._loop.run_forever, name="courier", daemon=True).start()
        self._session = self._call(self._open(open_session)).result()

    def accept(self, parcels: Iterable[P]) -> None:
        """Take parcels on; from any thread."""
        self._loop.call_soon_threadsafe(self._accept, list(parcels))

    @property
    def is_rushed(self) -> bool:
        """Whether requests keep it as busy as it can be."""
        return self.room.is_full or any(lane.running >= lane.limit for lane in list(self._lanes.values()))

    def put_back_waiting(self) -> None:
        """Put back all that may not begin any more; from any thread."""
        self._loop.call_soon_threadsafe(self._sweep)

    def close(self) -> None:
        """Break off what is under way, and end."""
        self._call(self._end()).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _end(self) -> None:
        self._lanes.clear()
        self.room.starved.clear()
        for host in self._hosts.values():
            host.starved.clear()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._session.close()

    async def _open(self, open_session: Callable[[int], aiohttp.ClientSession]) -> aiohttp.ClientSession:
        return open_session(AT_ONCE)

    def _call(self, coroutine: Awaitable[T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)  # type: ignore[arg-type]

    # --- On the loop ---------------------------------------------------------------------------------

    def _accept(self, parcels: list[P]) -> None:
        touched = {}
        for parcel in parcels:
            lane = self._lanes.get(parcel.lane)
            if lane is None:
                host = self._hosts.setdefault(parcel.host, _Room(parcel.host_limit))
                lane = self._lanes[parcel.lane] = _Lane(parcel.lane_limit, parcel.host, (self.room, host))
            elif lane.limit != parcel.lane_limit:
                lane.limit = parcel.lane_limit
                lane.at_once = min(lane.at_once, lane.limit)
            lane.rooms[-1].limit = parcel.host_limit
            self._number += 1
            heapq.heappush(lane.waiting, (parcel.due, self._number, parcel))
            touched[parcel.lane] = lane
        for lane in touched.values():
            self._advance(lane)

    def _advance(self, lane: _Lane[P]) -> None:
        """Begin as much as is due and has room; for what is due later, come back then."""
        while lane.waiting and lane.running < int(lane.at_once):
            wait = lane.waiting[0][0] - time.time()
            if wait > 0:
                self._come_back(lane, wait)
                return
            for room in lane.rooms:
                if room.is_full:
                    room.keep_waiting(lane)
                    return
            lane.running += 1
            for room in lane.rooms:
                room.running += 1
            self._loop.create_task(self._work(lane))

    def _come_back(self, lane: _Lane[P], wait: float) -> None:
        if lane.timer:
            lane.timer.cancel()
        if wait > FAR_OFF:
            self._sweep_lane(lane, lambda parcel: parcel.due - time.time() <= FAR_OFF)
        lane.timer = self._loop.call_later(min(wait, FAR_OFF), self._advance_later, lane)

    def _advance_later(self, lane: _Lane[P]) -> None:
        lane.timer = None
        self._advance(lane)

    async def _work(self, lane: _Lane[P]) -> None:
        """Deliver one after another: cheaper than a task for every parcel."""
        try:
            while (parcel := self._next(lane)) is not None:
                lane.learn(await self._begin(self._session, parcel))
                if any(room.starved for room in lane.rooms):
                    break  # its turn
        except asyncio.CancelledError:
            lane.waiting.clear()
            raise
        finally:
            lane.running -= 1
            for room in lane.rooms:
                room.running -= 1
            for room in lane.rooms:
                while room.starved and not room.is_full:
                    starved = room.starved.popleft()
                    starved.is_starved = False
                    self._advance(starved)
            self._advance(lane)

    def _next(self, lane: _Lane[P]) -> P | None:
        """Return the next parcel that is due; None: there is none, or the lane has too many at once."""
        while lane.waiting and lane.waiting[0][0] <= time.time() and lane.running <= lane.at_once:
            _, _, parcel = heapq.heappop(lane.waiting)
            if parcel.may_begin:
                return parcel
            self._put_back(parcel)
        return None

    def _sweep(self) -> None:
        for key, lane in list(self._lanes.items()):
            self._sweep_lane(lane, lambda parcel: parcel.may_begin)
            if not lane.waiting and not lane.running and lane.at_once >= lane.limit:
                del self._lanes[key]
        lead_to = {lane.host for lane in self._lanes.values()}
        self._hosts = {host: room for host, room in self._hosts.items() if host in lead_to}

    def _sweep_lane(self, lane: _Lane[P], stays: Callable[[P], bool]) -> None:
        waiting, lane.waiting = lane.waiting, []
        for entry in waiting:  # each is asked once: the answer changes with the clock
            if stays(entry[2]):
                lane.waiting.append(entry)
            else:
                self._put_back(entry[2])
        heapq.heapify(lane.waiting)
