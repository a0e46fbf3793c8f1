"""What is done to an installation under load, and what has to hold all the same; one entry for each fault."""

from __future__ import annotations

from triggers.drill.faults.database import DATABASE
from triggers.drill.faults.fault import Fault, Need, Recovery, Surroundings
from triggers.drill.faults.outside import OUTSIDE
from triggers.drill.faults.processes import PROCESSES
from triggers.drill.faults.queue import QUEUE
from triggers.drill.faults.web import WEB

FAULTS: tuple[Fault, ...] = (*PROCESSES, *WEB, *QUEUE, *DATABASE, *OUTSIDE)

__all__ = ["FAULTS", "Fault", "Need", "Recovery", "Surroundings"]
