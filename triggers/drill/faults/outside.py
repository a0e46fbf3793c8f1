"""What is outside of the server: the endpoint, the clock, the network."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from triggers.drill.accounts import Shift
from triggers.drill.faults.fault import Fault, Need, Recovery, Surroundings
from triggers.drill.receiver import Mood
from triggers.drill.site import Site

AWAY_SECONDS = 5.0
PARTED_SECONDS = 30.0  # longer than a lease, so that others have to take over
NEAR, FAR = "10.213.77.1", "10.213.77.2"
NOBODY = "02:00:00:00:00:01"  # a hardware address that no card has: what is sent there is gone


# --- The endpoint --------------------------------------------------------------------------------------


def _endpoint_away(site: Site, chance: random.Random) -> None:
    site.receiver.set_mood(Mood.BREAKS_OFF)
    time.sleep(AWAY_SECONDS)
    site.receiver.set_mood(Mood.UNAVAILABLE)
    time.sleep(AWAY_SECONDS)
    site.receiver.set_mood(Mood.WELL)


# --- The clock -----------------------------------------------------------------------------------------


@contextmanager
def _own_clock(folder: Path) -> Iterator[Surroundings]:
    """The server's processes have a clock that can be set; database, queue and receiver keep the real one."""
    ahead, library = folder / "clock", folder / "clock.so"
    ahead.write_bytes(struct.pack("d", 0))
    _run("cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(Path(__file__).with_name("clock.c")), "-ldl")
    yield Surroundings(variables={"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(ahead)})


def _set(seconds: float) -> Callable[[Site, random.Random], None]:
    def step(site: Site, chance: random.Random) -> None:
        # First: those who ask must not find the server's clock ahead of what they think.
        site.shifts.append(Shift(time.time(), seconds))
        with (site.data / "clock").open("r+b", buffering=0) as ahead:
            ahead.write(struct.pack("d", seconds))

    return step


# --- The network ---------------------------------------------------------------------------------------


@contextmanager
def _two_networks(folder: Path) -> Iterator[Surroundings]:
    """The first cluster lives in a network of its own; a pair of cards joins it with the one of all others.

    The drill itself must have been started in a network of its own (`unshare --net`), where the near end is made.
    """
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as holder:  # noqa: S607
        try:
            time.sleep(0.2)  # until it has its network
            far = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
            _run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(holder.pid))
            _run("ip", "address", "add", f"{NEAR}/24", "dev", "near")
            _run("ip", "link", "set", "near", "up")
            _run(*far, "ip", "address", "add", f"{FAR}/24", "dev", "far")
            _run(*far, "ip", "link", "set", "far", "up")
            _run(*far, "ip", "link", "set", "lo", "up")
            networks = {"DELIVERY_ALLOWED_NETWORKS": f"127.0.0.0/8,{NEAR}/32"}
            yield Surroundings(host=NEAR, variables=networks, prefix=far)
        finally:
            holder.send_signal(signal.SIGKILL)


def _part(site: Site, chance: random.Random) -> None:
    """Packets go nowhere, both ways, without a word: nobody is told that a connection is gone."""
    far = site.clusters[0].prefix
    _run("ip", "neigh", "replace", FAR, "lladdr", NOBODY, "dev", "near", "nud", "permanent")
    _run(*far, "ip", "neigh", "replace", NEAR, "lladdr", NOBODY, "dev", "far", "nud", "permanent")
    time.sleep(PARTED_SECONDS)
    _run("ip", "neigh", "del", FAR, "dev", "near")
    _run(*far, "ip", "neigh", "del", NEAR, "dev", "far")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"})


OUTSIDE = (
    Fault(
        "endpoint-down",
        "the endpoint breaks off for 5 s, and answers 503 for 5 s",
        _endpoint_away,
        recovery=Recovery.ITS_END,
    ),
    Fault("clock-forward", "the clock is set 30 s forward", _set(30), needs=(Need.COMPILER,), surroundings=_own_clock),
    Fault(
        "clock-far-forward",
        "the clock is set 150 s forward: a downtime",
        _set(150),
        needs=(Need.COMPILER,),
        surroundings=_own_clock,
        is_long_downtime=True,
    ),
    Fault("clock-backward", "the clock is set 20 s back", _set(-20), needs=(Need.COMPILER,), surroundings=_own_clock),
    Fault(
        "partition",
        "the cluster that beats is cut off from database, queue and endpoint for 30 s",
        _part,
        ("postgres",),
        needs=(Need.NETWORKS,),
        surroundings=_two_networks,
    ),
)
