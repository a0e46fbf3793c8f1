"""The figures of drills, one line each: for the terminal, for docs/reliability.md, and for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from triggers.drill.accounts import Accounts

COLUMNS = (
    "acked",
    "events",
    "lost",
    "missed",
    "extra",
    "early",
    "duplicates (in flight)",
    "undelivered",
    "recovery s",
    "caught up s",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a fault on a store, over all its runs. `problem`: it could not be done, in words."""

    fault: str
    store: str
    runs: tuple[Accounts, ...]
    problem: str = ""

    @property
    def breaches(self) -> list[str]:
        return [self.problem] * bool(self.problem) + [words for run in self.runs for words in run.breaches]

    def total(self, figure: str) -> int:
        return sum(getattr(run, figure) for run in self.runs)

    def worst(self, figure: str) -> float:
        return max((getattr(run, figure) for run in self.runs), default=0.0)

    def cells(self) -> list[str]:
        """Return the figures in the order of COLUMNS: sums over the runs, and the longest times."""
        sums = [str(self.total(name)) for name in ("acked", "events", "lost", "missed", "extra", "early")]
        duplicates = f"{self.total('duplicates')} ({self.total('in_flight')})"
        times = [f"{self.worst(name):.1f}" for name in ("recovery_seconds", "caught_up_seconds")]
        return [*sums, duplicates, str(self.total("undelivered")), *times]

    def as_json(self) -> dict[str, Any]:
        return {
            "fault": self.fault,
            "store": self.store,
            "problem": self.problem,
            "runs": [asdict(run) for run in self.runs],
        }


def read(said: Mapping[str, Any]) -> Outcome:
    """Return the outcome that as_json() has made."""
    runs = (Accounts(**{**run, "breaches": tuple(run["breaches"])}) for run in said["runs"])
    return Outcome(said["fault"], said["store"], tuple(runs), said["problem"])


def line(outcome: Outcome) -> str:
    """Return the figures of a fault in one line."""
    figures = ", ".join(f"{name} {cell}" for name, cell in zip(COLUMNS, outcome.cells(), strict=True))
    verdict = "BREACHED" if outcome.breaches else "holds"
    return f"{outcome.fault:<22} {outcome.store:<9} {len(outcome.runs)} x  {figures}  {verdict}"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the figures as a table in Markdown."""
    head = ("fault", "store", "runs", *COLUMNS)
    rows = [head, tuple("---" for _ in head)]
    rows += [(each.fault, each.store, str(len(each.runs)), *each.cells()) for each in outcomes]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
