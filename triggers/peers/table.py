"""The figures as Markdown, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from triggers.peers.comparison import Result
from triggers.peers.contenders import BARE, OURS
from triggers.peers.measure import Run

NONE = "–"


def markdown(results: Sequence[Result]) -> str:
    """Return a table for each size of herd, one for the steady load, and one of what each keeps."""
    sizes = sorted({size for result in results for size in result.herds})
    lines = [line for size in sizes for line in (*_herd(size, results), "")]
    lines += [*_steady(results), "", *_keeping(results)]
    problems = [f"- {result.contender.name}: {result.problem}" for result in results if result.problem]
    return "\n".join([*lines, *(["", *problems] if problems else [])])


def _herd(size: int, results: Sequence[Result]) -> Iterator[str]:
    ours, bare = (_drained(name, size, results) for name in (OURS, BARE))
    yield f"**{size:,} due at one second**"
    yield ""
    yield from _head(
        "",
        "rounds",
        "delivered",
        "drained in",
        "late p50",
        "late p99",
        "early",
        "CPU an event",
        "× our time",
        "of aiohttp alone",
    )
    for result in results:
        if runs := result.herds.get(size):
            drained = _middle(runs, lambda run: run.drained_in)
            yield _row(
                result.contender.name,
                str(len(runs)),
                _delivered(runs),
                f"not within {runs[-1].limit:.0f} s" if runs[-1].is_over_time else f"{_seconds(drained)} s",
                f"{_seconds(_late(runs, 0.5))} s",
                f"{_seconds(_late(runs, 0.99))} s",
                f"{sum(run.early for run in runs)}",
                f"{_cpu(runs):.2f} ms",
                *_beside(runs, ours, bare),
            )


def _steady(results: Sequence[Result]) -> Iterator[str]:
    ours = next((r.steady.per_second for r in results if r.contender.name == OURS and r.steady), 0.0)
    yield "**Steady load**"
    yield ""
    yield from _head("", "events a second", "late p50", "late p99", "CPU an event", "ours is × as much")
    for result in results:
        if steady := result.steady:
            runs = [steady.run]
            yield _row(
                result.contender.name,
                f"{steady.per_second:,.0f}{'' if steady.keeps_up else ', with a growing delay'}",
                f"{_seconds(_late(runs, 0.5))} s",
                f"{_seconds(_late(runs, 0.99))} s",
                f"{_cpu(runs):.2f} ms",
                f"{ours / steady.per_second:.1f}" if ours and steady.per_second else NONE,
            )


def _keeping(results: Sequence[Result]) -> Iterator[str]:
    yield "**What each keeps**"
    yield ""
    yield from _head("", "an event waits in", "record of its outcome", "on record here", "a crash, a failure", "twice")
    for result in results:
        contender = result.contender
        yield _row(
            contender.name,
            contender.waits_in,
            contender.record,
            NONE if result.recorded is None else f"{result.recorded:,} of {result.received:,}",
            contender.promise,
            str(result.again),
        )


def _delivered(runs: list[Run]) -> str:
    came, size = round(_middle(runs, lambda run: run.came)), runs[0].size
    if all(run.came == size for run in runs):
        return "all"
    return f"{came:,} so far" if runs[-1].is_over_time else f"{came:,}, {size - came:,} missed"


def _beside(runs: list[Run], ours: float, bare: float) -> tuple[str, str]:
    """How many times our time these took, and the share of the bare client's speed; of what was missed, neither."""
    if runs[-1].is_over_time:
        limit = runs[-1].limit
        return f"> {limit / ours:.0f}" if ours else NONE, f"< {max(0.001, bare / limit):.3f}" if bare else NONE
    drained = _middle(runs, lambda run: run.drained_in)
    if not all(run.came == run.size for run in runs):
        return NONE, NONE
    return f"{drained / ours:.1f}" if ours else NONE, f"{bare / drained:.3f}" if bare else NONE


def _drained(name: str, size: int, results: Sequence[Result]) -> float:
    """The median of this contender; 0.0 when it has none."""
    runs = next((result.herds.get(size, []) for result in results if result.contender.name == name), [])
    return _middle(runs, lambda run: run.drained_in) if runs else 0.0


def _late(runs: list[Run], share: float) -> float:
    return _middle(runs, lambda run: run.late[min(len(run.late) - 1, int(len(run.late) * share))] if run.late else 0.0)


def _cpu(runs: list[Run]) -> float:
    """Milliseconds of the processor an event that came."""
    return _middle(runs, lambda run: 1000 * run.cpu / max(1, run.came))


def _middle(runs: list[Run], figure: Callable[[Run], float]) -> float:
    return median(figure(run) for run in runs)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield "|" + "---|" * len(names)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
