"""What is done to an installation under load, and what has to hold all the same; one entry for each fault."""

from __future__ import annotations

from triggers.drill.faults.fault import Fault, Need, Recovery
from triggers.drill.faults.processes import PROCESSES

FAULTS: tuple[Fault, ...] = (*PROCESSES,)

__all__ = ["FAULTS", "Fault", "Need", "Recovery"]
