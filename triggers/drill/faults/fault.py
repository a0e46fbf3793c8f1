"""What a fault is."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from triggers.drill.site import Site


class Need(StrEnum):
    """What a machine must have for a fault, in words."""

    ROOT = "root"

    def is_met(self) -> bool:
        return os.geteuid() == 0


class Recovery(StrEnum):
    """From when the seconds until recovery count."""

    FAULT = "the fault"  # others have to take over while it lasts
    ITS_END = "its end"  # nothing can go on while it lasts


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is done to a running installation: `strike` returns when it is over."""

    name: str
    words: str
    strike: Callable[[Site, random.Random], None]
    stores: tuple[str, ...] = ("sqlite", "postgres")
    recovery: Recovery = Recovery.FAULT
    needs: tuple[Need, ...] = ()
    is_quick: bool = False
    is_long_downtime: bool = False  # over 60 s by the server's clock
