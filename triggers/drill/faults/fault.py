"""What a fault is."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from triggers.drill.site import Site


class Need(StrEnum):
    """What a machine must have for a fault, in words."""

    ROOT = "root"
    NETWORKS = "right to make networks of its own (root, and iproute2)"
    COMPILER = "C compiler (apt-get install gcc libc6-dev)"

    def is_met(self) -> bool:
        if self is Need.COMPILER:
            return shutil.which("cc") is not None
        is_root = os.geteuid() == 0
        return is_root and (self is Need.ROOT or all(map(shutil.which, ("ip", "unshare", "nsenter"))))


class Recovery(StrEnum):
    """From when the seconds until recovery count."""

    FAULT = "the fault"  # others have to take over while it lasts
    ITS_END = "its end"  # nothing can go on while it lasts


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an installation needs so that a fault can be done to it."""

    host: str = "127.0.0.1"  # where store and receiver listen
    variables: Mapping[str, str] = field(default_factory=dict)  # of the server's processes
    prefix: Sequence[str] = ()  # before the command of the first cluster


@contextmanager
def nothing_special(folder: Path) -> Iterator[Surroundings]:
    yield Surroundings()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is done to a running installation: `strike` returns when it is over.

    `surroundings` are made around the data of the installation, before it is started.
    """

    name: str
    words: str
    strike: Callable[[Site, random.Random], None]
    stores: tuple[str, ...] = ("sqlite", "postgres")
    recovery: Recovery = Recovery.FAULT
    needs: tuple[Need, ...] = ()
    is_quick: bool = False
    is_long_downtime: bool = False  # over 60 s by the server's clock
    surroundings: Callable[[Path], AbstractContextManager[Surroundings]] = nothing_special
