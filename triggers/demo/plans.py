"""What there is to be: which triggers, how often each fires, and how its endpoint is. Pure; chance is passed in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

HOURS = 48  # that are told about
_RETRIES = [30, 120, 480]  # seconds
_PERIODS = (10, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)  # seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """A trigger to be, and what comes of its fires. Times are how long ago, shares are of its events (0 to 1)."""

    fields: dict[str, Any]  # as definition.draft() takes them
    calls: int = 0  # fires by API, over the hours as people work
    calls_at: Sequence[timedelta] = ()  # fires by API at these times
    tests: int = 0
    tests_at: Sequence[timedelta] = ()
    replays: int = 0  # of the event that failed last before each
    replays_at: Sequence[timedelta] = ()
    are_replays_batched: bool = False
    latency_ms: float = 90.0
    flaky: float = 0.0  # an attempt fails, its retry succeeds
    broken: float = 0.0  # every attempt fails
    worse_since: timedelta | None = None  # from then on one in twelve was
    down_since: timedelta | None = None  # from then on every attempt failed
    down_until: timedelta = timedelta()  # till then
    skipped: float = 0.0  # of its scheduled fires
    status: int | None = 503  # of an attempt that fails; None: no answer in time
    good_status: int = 200
    off_because: str = ""  # why the server has switched it off
    payload: dict[str, Any] = field(default_factory=dict)


def small() -> list[Plan]:
    """Return a small shop's 27 triggers: most are well, three need attention."""
    return [
        _scheduled(
            "Sync CRM contacts",
            "fixed_interval",
            "900",
            "https://crm.example.com/hooks/sync",
            payload={"since": "last", "batch_size": 500},
            latency_ms=610,
            broken=0.01,
            down_since=timedelta(minutes=62),
            tests_at=[timedelta(minutes=70)],
        ),
        _called(
            "Order paid",
            "https://fulfilment.example.com/webhooks/orders",
            calls=2090,
            payload={"order_id": 10482, "total": "129.90", "currency": "EUR"},
            latency_ms=143,
            flaky=0.02,
            broken=0.003,
            worse_since=timedelta(minutes=100),
            status=None,
            good_status=202,
            calls_at=[timedelta(milliseconds=60), timedelta(seconds=19), timedelta(seconds=115)],
        ),
        _scheduled(
            "Edge health probe (EU)",
            "fixed_interval",
            "30",
            "https://edge-eu.example.net/healthz",
            method="GET",
            latency_ms=60,
            broken=0.001,
        ),
        _scheduled(
            "Cache warm-up",
            "fixed_interval",
            "300",
            "https://shop.example.com/internal/warm",
            payload={"pages": ["/", "/new", "/sale"]},
            latency_ms=377,
            good_status=204,
        ),
        _scheduled("Nightly database backup", "cron", "30 2 * * *", "https://backup.example.net/run", latency_ms=4200),
        _scheduled("Payroll export", "cron", "0 18 L * *", "https://erp.example.com/export/payroll"),
        _called("Audit marker", "", calls=766, payload={"actor": "mara", "action": "order.refund"}),
        _scheduled("Invoice reminders", "cron", "0 9 * * 1-5", "https://mail.example.com/batches", latency_ms=920),
        _called(
            "Deploy hook",
            "https://ci.example.com/hooks/deploy",
            calls=13,
            payload={"ref": "refs/heads/main", "service": "shop"},
            latency_ms=812,
            broken=0.1,
            good_status=201,
            calls_at=[timedelta(seconds=45)],
        ),
        _scheduled(
            "TLS expiry check",
            "fixed_time",
            "06:00",
            "https://ops.example.net/tls/expiry",
            method="GET",
            time_zone="UTC",
        ),
        _scheduled("Move to new billing host", "date", "{in_a_week}T22:00", "https://billing.example.com/cutover"),
        _scheduled(
            "Weekly usage report",
            "cron",
            "0 8 * * 1",
            "https://reports.example.com/usage",
            latency_ms=1900,
            calls_at=[timedelta(hours=hours) for hours in (31, 30, 29, 28, 27, 26, 25, 24.5, 24.2, 24, 23.8, 23.6)],
            down_since=timedelta(hours=24.6),
            down_until=timedelta(hours=1),
            replays_at=[timedelta(minutes=20)],
            switch_off_after=5,
            off_because="The server switched it off, because 5 events failed one after another.",
        ),
        _scheduled("Queue depth snapshot", "cron", "0 * * * *", "https://ops.example.net/queues", skipped=0.1),
        _scheduled("Stock level sync", "fixed_interval", "600", "https://erp.example.com/stock", latency_ms=240),
        _scheduled("Currency rates", "cron", "5 */6 * * *", "https://rates.example.com/refresh", latency_ms=310),
        _scheduled("Search index refresh", "fixed_interval", "1800", "https://search.example.com/reindex"),
        _scheduled("Abandoned cart mails", "fixed_interval", "3600", "https://mail.example.com/carts"),
        _scheduled("Sitemap rebuild", "fixed_time", "04:15", "https://shop.example.com/internal/sitemap"),
        _scheduled("Expired sessions clean-up", "fixed_interval", "7200", ""),
        _scheduled("Loyalty points", "fixed_time", "01:00", "https://loyalty.example.com/points", latency_ms=700),
        _scheduled("Old price list", "fixed_time", "05:30", "https://shop.example.com/internal/prices", enabled=False),
        _called("Customer signed up", "https://crm.example.com/hooks/customers", calls=140, flaky=0.03),
        _called("Return received", "https://fulfilment.example.com/webhooks/returns", calls=46, good_status=202),
        _called("Newsletter subscribed", "https://mail.example.com/subscribers", calls=88, latency_ms=120),
        _called("Support ticket opened", "https://desk.example.com/api/tickets", calls=37, good_status=201),
        _called("Password changed", "", calls=61, payload={"user": 4711, "by": "self"}),
        _called("Import finished", "https://erp.example.com/imports", enabled=False),
    ]


def _scheduled(name: str, kind: str, value: str, endpoint: str, **options: Any) -> Plan:
    is_one_time = kind == "date"
    schedule = {"schedule_type": kind, "schedule_value": value, "is_recurring": not is_one_time}
    return _plan(name, {"type": "scheduled", "time_zone": "Europe/Berlin"} | schedule, endpoint, options)


def _called(name: str, endpoint: str, **options: Any) -> Plan:
    return _plan(name, {"type": "api"}, endpoint, options)


def _plan(name: str, fields: dict[str, Any], endpoint: str, options: dict[str, Any]) -> Plan:
    """`options`: fields of the trigger by their names, the rest are the plan's own."""
    of_plan = {name: options.pop(name) for name in list(options) if name in Plan.__dataclass_fields__}
    payload = of_plan.get("payload", {})
    common = {"name": name, "api_endpoint": endpoint, "payload": payload, "retry_delays": _RETRIES}
    return Plan(common | fields | options, **of_plan)


# --- A large server --------------------------------------------------------------------------------------

_VERBS = ("Sync", "Refresh", "Export", "Archive", "Check", "Rebuild", "Notify", "Import", "Settle", "Measure")
_NOUNS = ("contacts", "invoices", "stock levels", "orders", "price list", "sessions", "parcels", "meters", "ledger")
_PLACES = ("EU", "US", "UK", "Nordics", "Iberia", "Asia", "Brazil", "store 7", "warehouse 2", "staging")


def large(count: int, events: int, chance: random.Random, alike: int = 1) -> list[Plan]:
    """Return `count` triggers that have about `events` events together: few very busy ones, many that seldom fire.

    So many at a time are `alike` in all but their name.
    """
    weights = [1 / (rank + 20) for rank in range(max(count // alike, 1))]
    share = events / sum(weights) / alike
    plans = []
    for rank, weight in enumerate(weights):
        fires = weight * share
        name = f"{chance.choice(_VERBS)} {chance.choice(_NOUNS)} ({chance.choice(_PLACES)}) {rank + 1}"
        host = f"https://host-{chance.randrange(200)}.example.com/hooks/{rank + 1}"
        health = _health(chance)
        if rank == 1:
            # Somebody tries a trigger out all day: none of its events counts in any figure.
            plans.append(_called(name, host, calls=3 * round(fires), is_test=True))
        elif chance.random() < 0.65:
            seconds = min(_PERIODS, key=lambda period: abs(HOURS * 3600 / period - fires))
            rest = max(round(fires - HOURS * 3600 / seconds), 0)
            options = {"enabled": chance.random() > 0.05, "skipped": 0.002, "calls": rest}
            plans.append(_scheduled(name, "fixed_interval", str(seconds), host, **options, **health))
        else:
            endpoint = "" if chance.random() < 0.1 else host
            tests = chance.choice((0, 0, 1, 2))
            payload = {"order_id": rank, "region": chance.choice(_PLACES), "note": "as agreed by telephone"}
            plans.append(_called(name, endpoint, calls=round(fires), tests=tests, payload=payload, **health))
        if "flaky" in health:
            plans[-1] = replace(plans[-1], replays=round(fires * 0.003), are_replays_batched=rank % 2 == 0)
    return [
        replace(plan, fields=plan.fields | {"name": f"{plan.fields['name']}.{number}"}) if alike > 1 else plan
        for plan in plans
        for number in range(1, alike + 1)
    ]


def _health(chance: random.Random) -> dict[str, Any]:
    """Return how an endpoint is: most are well, some stumble, one in fifty has been down for a while."""
    dice = chance.random()
    latency = {"latency_ms": round(chance.lognormvariate(4.6, 0.8), 1)}
    if dice < 0.02:
        return latency | {"down_since": timedelta(minutes=chance.randint(20, 600)), "status": chance.choice((503, 500))}
    if dice < 0.25:
        return latency | {"flaky": 0.02, "broken": 0.006, "status": chance.choice((503, 502, 429, None))}
    return latency | {"broken": 0.0004}
