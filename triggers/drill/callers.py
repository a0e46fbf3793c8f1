"""The callers' book: a steady stream of fires over HTTP, and what each caller was told.

Most are careful: they give an Idempotency-Key and call again until they read a 2xx. Some call once, without a key: when
no answer comes, they do not know what became of it, and nobody may hold that against the server, but what is on record
of such a call has to be delivered like any other.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Sequence

import aiohttp

from triggers.drill.accounts import Call

CALLS_A_SECOND = 12
WITHOUT_KEY = 4  # every so many-th call
ANSWER_WITHIN_SECONDS = 5.0
AGAIN_AFTER_SECONDS = 0.2
GIVE_UP_AFTER_SECONDS = 120.0


class Callers:
    """Call `url` steadily from a thread of its own, until they are stopped."""

    def __init__(self, urls: Sequence[str], key: str, seed: int) -> None:
        self.calls: list[Call] = []
        self._urls, self._key = urls, key
        self._chance = random.Random(seed)
        self._is_stopping = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="callers", daemon=True)
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no further call, and wait for the careful ones to be answered."""
        self._is_stopping = True
        self._thread.join()

    def burst(self, count: int) -> None:
        """Have so many careful calls made at once, beside the steady ones."""
        for _ in range(count):
            self._loop.call_soon_threadsafe(lambda: self._begin(has_key=True))

    def _run(self) -> None:
        self._loop.run_until_complete(self._call_steadily())
        self._loop.close()

    async def _call_steadily(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            headers={"X-API-Key": self._key}, timeout=timeout, connector=connector
        ) as self._session:
            while not self._is_stopping:
                self._begin(has_key=len(self.calls) % WITHOUT_KEY != 0)
                await asyncio.sleep(self._chance.uniform(0.5, 1.5) / CALLS_A_SECOND)
            while self._under_way:
                await asyncio.wait(self._under_way)

    def _begin(self, *, has_key: bool) -> None:
        call = Call(f"c-{len(self.calls) + 1}", has_key, time.time())
        self.calls.append(call)
        task = self._loop.create_task(self._make(call) if has_key else self._try(call))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _make(self, call: Call) -> None:
        """Call until it is answered well; now and then once more, as a caller does whose answer was lost."""
        ends_at = time.monotonic() + GIVE_UP_AFTER_SECONDS
        while not call.answered and time.monotonic() < ends_at:
            await self._try(call)
            if not call.answered:
                await asyncio.sleep(AGAIN_AFTER_SECONDS)
        if self._chance.random() < 0.1:
            await self._try(call)

    async def _try(self, call: Call) -> None:
        headers = {"Idempotency-Key": call.name} if call.has_key else {}
        try:
            url = self._chance.choice(self._urls)
            async with self._session.post(url, json={"call": call.name}, headers=headers) as answer:
                said = await answer.json()
                if 200 <= answer.status < 300:
                    call.answered.append(said["id"])
                    call.answered_at = call.answered_at or time.time()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return  # careful callers try again; the others will never know
