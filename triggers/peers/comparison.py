"""Every contender in turn: rounds of herds of each size, then the steady load that it sustains."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from triggers.peers import stores
from triggers.peers.contenders import Contender
from triggers.peers.measure import Measured, Run, Unusable, running

LONG_HERD = 5_000  # from this size on, rounds end when they have taken so long together:
LONG_ROUNDS_SECONDS = 15.0
RECORDED_WITHIN_SECONDS = 10.0  # after the last request
STEADY_TRIALS = 3
LEAST_RATE = 10  # events a second
STEADY_LIMIT_SECONDS = 20.0
KEEPS_UP_SECONDS = 1.5  # after its last instant all of a steady load must be there: no backlog has built up


@dataclass(frozen=True, slots=True)
class Order:
    sizes: Sequence[int]
    rounds: int
    limit: float  # seconds that a herd may take
    steady_seconds: int  # 0: no steady load
    connections: int
    peers_python: Path
    minutes: float = 20.0  # for all together: who has used up its share gets no further long rounds and steady trials


@dataclass(frozen=True, slots=True)
class Steady:
    """So many events in each second; `keeps_up`: they came without a growing delay."""

    offered: int
    run: Run
    keeps_up: bool

    @property
    def per_second(self) -> float:
        return min(self.offered, self.run.per_second)


@dataclass(slots=True)
class Result:
    contender: Contender
    herds: dict[int, list[Run]] = field(default_factory=dict)
    steady: Steady | None = None
    recorded: int | None = None
    received: int = 0
    again: int = 0  # requests for events that had come before
    problem: str = ""  # why there are no figures, or no more


def compare(contenders: Sequence[Contender], order: Order, say: Callable[[str], object]) -> list[Result]:
    """Measure one after another; `say` is told of each run."""
    results, began = [], time.monotonic()
    for place, contender in enumerate(contenders, start=1):
        ends_at = began + 60 * order.minutes * place / len(contenders)
        say(f"{contender.name} …")
        result = Result(contender, problem=_left_out(contender, order))
        if not result.problem:
            try:
                _measure(result, order, ends_at, say)
            except Unusable as error:
                result.problem = str(error)
        if result.problem:
            say(f"  {result.problem}")
        results.append(result)
    return results


def _left_out(contender: Contender, order: Order) -> str:
    if not contender.by_our_python and not order.peers_python.exists():
        return f"left out: there is no {order.peers_python} (make bench-peers installs it)"
    reasons = [words for store in contender.stores if (words := stores.missing(store))]
    return f"left out: {reasons[0]}" if reasons else ""


def _measure(result: Result, order: Order, ends_at: float, say: Callable[[str], object]) -> None:
    contender = result.contender
    with running(contender, order.peers_python, order.connections) as measured:
        is_over_time = False
        for size in order.sizes:
            runs, began = result.herds.setdefault(size, []), time.monotonic()
            for _ in range(contender.rounds.get(size, order.rounds)):
                runs.append(measured.herd(size, order.limit))
                say(f"  {_in_words(runs[-1])}")
                now, is_over_time = time.monotonic(), runs[-1].is_over_time
                if is_over_time or (size >= LONG_HERD and now > min(ends_at, began + LONG_ROUNDS_SECONDS)):
                    break
            if is_over_time:
                break  # what is left over would lie in the way of the next
        if contender.is_steady and order.steady_seconds and not is_over_time:
            result.steady = _sustained(measured, _guess(result), order.steady_seconds, ends_at, say)
        result.received, result.again = measured.arrivals.came(0, measured.next), measured.arrivals.again.value
        result.recorded = _recorded(measured, result.received)


def _recorded(measured: Measured, received: int) -> int | None:
    """Return how many outcomes are on record, at last; None: it keeps none."""
    gives_up_at = time.monotonic() + RECORDED_WITHIN_SECONDS
    while (recorded := measured.recorded()) is not None and recorded < received and time.monotonic() < gives_up_at:
        time.sleep(1)
    return recorded


def _guess(result: Result) -> float:
    """Events a second of the largest herd so far."""
    runs = next(reversed(result.herds.values()), [])
    return max((run.per_second for run in runs), default=100.0)


def _sustained(measured: Measured, guess: float, seconds: int, ends_at: float, say: Callable[[str], object]) -> Steady:
    """Return the highest load of a few that it keeps up with; when it does so with none, the last one."""
    tried: list[Steady] = []
    rate = max(LEAST_RATE, int(0.8 * guess))
    while rate:
        run = measured.herd(rate, STEADY_LIMIT_SECONDS, seconds)
        tried.append(Steady(rate, run, run.came == run.size and run.behind <= KEEPS_UP_SECONDS))
        say(f"  {rate} in each of {seconds} s: {_in_words(run)}{'' if tried[-1].keeps_up else '; does not keep up'}")
        rate = next_rate(tried) if time.monotonic() < ends_at else 0
    return max((each for each in tried if each.keeps_up), key=lambda each: each.offered, default=tried[-1])


def next_rate(tried: Sequence[Steady]) -> int:
    """Return the rate to try after these; 0 when the limit lies between two of them, or enough were tried."""
    last = tried[-1]
    if last.run.is_over_time or len(tried) == STEADY_TRIALS or len({each.keeps_up for each in tried}) == 2:
        return 0
    return int(1.25 * last.offered) if last.keeps_up else max(LEAST_RATE, int(0.85 * last.per_second))


def _in_words(run: Run) -> str:
    return f"{run.came:,} of {run.size:,} in {run.drained_in:.3f} s{', the time is up' if run.is_over_time else ''}"
