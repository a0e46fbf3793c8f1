"""`manage.py drill`: the figures of docs/reliability.md, on this machine."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from triggers.drill import frame, report, stores
from triggers.drill.accounts import Accounts
from triggers.drill.faults import FAULTS, Fault, Need

logger = logging.getLogger(__name__)

CLUSTERS = {"sqlite": 1, "postgres": 2}
STORES = tuple(CLUSTERS)
OWN_NETWORK = "DRILL_HAS_OWN_NETWORK"  # in the environment of a drill that this one has started there


class Command(BaseCommand):
    help = (
        "Break an installation in many ways, under load, in a temporary folder, and say what was lost. Any breach of "
        "what is promised makes the exit code 1."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("faults", nargs="*", metavar="FAULT", help="left out: all; --list names them")
        parser.add_argument("--store", choices=STORES, action="append", help="left out: both")
        parser.add_argument("--clusters", type=int, help="left out: one on SQLite, two on PostgreSQL")
        parser.add_argument("--repeats", type=int, default=1, help="of each fault")
        parser.add_argument("--seed", type=int, default=1, help="the same one strikes at the same moments")
        parser.add_argument("--quick", action="store_true", help="a few faults that need no root")
        parser.add_argument("--list", action="store_true", help="only say which there are")
        parser.add_argument("--require-all", action="store_true", help="what this machine cannot do is an error")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
        parser.add_argument("--keep", action="store_true", help="keep the folders of all drills, not of breaches alone")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = _chosen(options["faults"], is_quick=options["quick"])
        if options["list"]:
            for fault in chosen:
                needs = f" (needs {', '.join(fault.needs)})" if fault.needs else ""
                self.stdout.write(f"{fault.name:<22} {' '.join(fault.stores):<16} {fault.words}{needs}")
            return
        signal.signal(signal.SIGTERM, _stop)
        machine = f"{os.cpu_count()} x {platform.machine()}, Python {platform.python_version()}"
        self.stdout.write(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, seed {options['seed']}")
        folder = Path(tempfile.mkdtemp(prefix="event-trigger-drill-"))
        folder.chmod(0o755)
        outcomes: list[report.Outcome] = []
        left_out: list[str] = []
        for store in options["store"] or STORES:
            if words := _lacks(store):
                left_out.append(f"all faults on {store}: {words}")
                continue
            outcomes += self._run_all(chosen, store, folder, left_out, options)
        self._conclude(outcomes, left_out, options)
        if not any(folder.iterdir()):
            folder.rmdir()
        if any(outcome.breaches for outcome in outcomes):
            raise CommandError(f"What is promised does not hold. The folders are kept: {folder}")
        if left_out and options["require_all"]:
            raise CommandError("Not all faults could be done.")

    def _run_all(
        self, faults: list[Fault], store: str, folder: Path, left_out: list[str], options: dict[str, Any]
    ) -> list[report.Outcome]:
        outcomes = []
        make_template = cache(partial(frame.make_template, store, folder / f"template-{store}"))
        for fault in faults:
            if store not in fault.stores:
                continue
            if lacking := [need.value for need in fault.needs if not need.is_met()]:
                left_out.append(f"{fault.name} on {store}: this machine has no {', no '.join(lacking)}")
                continue
            if Need.NETWORKS in fault.needs and OWN_NETWORK not in os.environ:
                outcome = _run_in_own_network(fault, store, options)
            else:
                outcome = self._run(fault, make_template(), folder, options)
            outcomes.append(outcome)
            self.stdout.write(report.line(outcome))
            for breach in outcome.breaches:
                self.stdout.write(f"    {breach}")
            self.stdout.flush()
        shutil.rmtree(folder / f"template-{store}", ignore_errors=True)
        return outcomes

    def _run(self, fault: Fault, template: frame.Template, folder: Path, options: dict[str, Any]) -> report.Outcome:
        runs: list[Accounts] = []
        clusters = options["clusters"] or CLUSTERS[template.store]
        for number in range(1, options["repeats"] + 1):
            its_own = folder / f"{fault.name}-{template.store}-{number}"
            seed = zlib.crc32(f"{options['seed']} {fault.name} {template.store} {number}".encode())
            try:
                accounts = _run_once(fault, template, its_own, clusters, seed)
            except Exception as error:
                logger.exception("%s on %s broke off", fault.name, template.store)
                return report.Outcome(fault.name, template.store, tuple(runs), f"It broke off: {error}")
            runs.append(accounts)
            if not accounts.breaches and not options["keep"]:
                shutil.rmtree(its_own)
        return report.Outcome(fault.name, template.store, tuple(runs))

    def _conclude(self, outcomes: list[report.Outcome], left_out: list[str], options: dict[str, Any]) -> None:
        if len(outcomes) > 1:
            self.stdout.write(f"\n{report.table(outcomes)}")
        for words in left_out:
            self.stdout.write(f"Left out: {words}.")
        if options["json"]:
            options["json"].write_text(json.dumps([each.as_json() for each in outcomes], indent=1), encoding="utf-8")


def _stop(number: int, frame: FrameType | None) -> None:
    """Leave as after Ctrl-C: by the way that stops all that was started."""
    raise KeyboardInterrupt


def _run_once(fault: Fault, template: frame.Template, folder: Path, clusters: int, seed: int) -> Accounts:
    """Return the accounts of a drill; one that could not begin, on a machine that had no time for it, is repeated."""
    try:
        return frame.run(fault, template, folder, clusters, seed)
    except frame.NotWell as error:
        logger.warning("%s is begun again: %s", fault.name, error)
        shutil.rmtree(folder)
        return frame.run(fault, template, folder, clusters, seed)


def _run_in_own_network(fault: Fault, store: str, options: dict[str, Any]) -> report.Outcome:
    """Have this command run the fault where nothing but the drill is, so that no packet of others is touched."""
    given = {name: options[name] for name in ("repeats", "seed", "clusters") if options[name]}
    with tempfile.NamedTemporaryFile(prefix="event-trigger-drill-", suffix=".json") as said:
        command = [sys.executable, sys.argv[0], "drill", fault.name, "--store", store, "--json", said.name]
        command += [f"--{name}={value}" for name, value in given.items()] + ["--keep"] * options["keep"]
        subprocess.run(
            ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command],  # noqa: S607
            env=os.environ | {OWN_NETWORK: "1"},
            stdout=subprocess.DEVNULL,
        )
        text = Path(said.name).read_text(encoding="utf-8")
    if not text:
        return report.Outcome(fault.name, store, (), "The drill in a network of its own broke off.")
    return report.read(json.loads(text)[0])


def _chosen(names: list[str], *, is_quick: bool) -> list[Fault]:
    known = {fault.name: fault for fault in FAULTS}
    if unknown := [name for name in names if name not in known]:
        raise CommandError(f"There is no fault {', '.join(unknown)}; --list names those that there are.")
    chosen = [known[name] for name in names] or list(FAULTS)
    return [fault for fault in chosen if fault.is_quick] if is_quick else chosen


def _lacks(store: str) -> str:
    """Return what this machine lacks for a store, in words; "" when it can be had."""
    if store == "sqlite":
        return ""
    lacking = [
        name
        for name, is_there in (("PostgreSQL", stores.has_postgres()), ("Redis", stores.has_redis()))
        if not is_there
    ]
    return f"this machine has no {' and no '.join(lacking)}" if lacking else ""
