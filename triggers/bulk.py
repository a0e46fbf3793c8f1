"""One deed is done to many triggers: switched, tested or deleted, a few in one transaction, one after another.

Each is done by its own verb, with all that belongs to it. A deed remembers its place, so a crash anywhere neither
leaves one out nor does one twice; whoever takes the next step (the caller who began it, a task, the schedule of each
minute) goes on from there. Between two steps is a pause as long as the step: the beat and the workers write too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.tasks import async_task

from triggers import definition, firing, liveness, vault
from triggers.models import Author, BulkDeed, Trigger, TriggerQuerySet

logger = logging.getLogger(__name__)

GO_ON = "triggers.tasks.go_on_with_bulk_deeds"
STEP = 10  # triggers in one transaction: on SQLite about 50 ms in which no other may write
SHORTEST_PAUSE_SECONDS = 0.01
LASTS_SECONDS = 2.0  # of one task; then the next one goes on: hints wait behind it where only one worker delivers
MOST_REFUSALS = 100  # that are kept in words

GONE = "It was deleted in the meantime."


def begin(deed: BulkDeed.Deed, chosen: TriggerQuerySet, by: Author, now: datetime) -> BulkDeed:
    """Put down what is to be done to the chosen triggers, and return it; go_on() does it.

    Those that are as they should be already are only counted.
    """
    rows = chosen.order_by("pk").values_list("pk", "enabled")
    # (A wish that is neither of the two finds no trigger as it should be.)
    wanted = {BulkDeed.Deed.SWITCH_ON: True, BulkDeed.Deed.SWITCH_OFF: False}.get(deed)
    concerned = [pk for pk, enabled in rows if enabled != wanted]
    return _put_down(deed, concerned, len(rows) - len(concerned), by, now)


def undo(pk: int, by: Author, now: datetime) -> BulkDeed | None:
    """Switch on again what a deed has switched off: return that deed, or None when it can not be undone (any more)."""
    with transaction.atomic():
        # Locked: of two that undo at once, the second finds it undone.
        deed = BulkDeed.objects.select_for_update().filter(pk=pk).first()
        if deed is None or not deed.can_be_undone:
            return None
        refused = {trigger_id for trigger_id, _ in deed.refusals}
        is_off = set(Trigger.objects.filter(enabled=False).values_list("pk", flat=True)) - refused
        switched = [trigger_id for trigger_id in deed.trigger_ids if trigger_id in is_off]
        deed.undone_by = _put_down(BulkDeed.Deed.SWITCH_ON, switched, 0, by, now)
        deed.save(update_fields=["undone_by"])
    return deed.undone_by


def go_on(
    clock: Callable[[], datetime] = timezone.now, lasts_seconds: float = LASTS_SECONDS, only: int | None = None
) -> bool:
    """Work off what is begun, oldest first, for so long at most; return whether some is left for another turn.

    `only`: this deed alone, for its person waits.
    """
    ends_at = time.monotonic() + lasts_seconds
    begun = BulkDeed.objects.filter(ended_at__isnull=True).order_by("pk")
    for deed in begun if only is None else begun.filter(pk=only):
        while True:
            began = time.monotonic()
            liveness.show_life()
            if not _step(deed.pk, deed.trigger_ids, clock()):
                break
            if time.monotonic() > ends_at:
                return True
            time.sleep(max(SHORTEST_PAUSE_SECONDS, time.monotonic() - began))
    return False


def ask_to_go_on() -> None:
    """Ask the cluster to go on at once; where that cannot be asked, the schedule does within about a minute."""
    try:
        async_task(GO_ON, broker=get_broker())
    except Exception:
        logger.exception("The cluster could not be asked to go on with a bulk deed; its schedule will")


def _put_down(
    deed: BulkDeed.Deed, trigger_ids: Sequence[int], settled_count: int, by: Author, now: datetime
) -> BulkDeed:
    return BulkDeed.objects.create(
        deed=deed,
        trigger_ids=trigger_ids,
        settled_count=settled_count,
        by_kind=by.kind,
        by_id=by.id,
        by_name=by.name,
        begun_at=now,
        ended_at=None if trigger_ids else now,
    )


def _step(pk: int, trigger_ids: Sequence[int], now: datetime) -> bool:
    """Do it to the next few; return whether some are left."""
    with transaction.atomic():
        # Locked: of two that step at once, the second goes on where the first ended.
        deeds = BulkDeed.objects.select_for_update().defer("trigger_ids")
        deed = deeds.filter(pk=pk, ended_at__isnull=True).first()
        if deed is None:
            return False
        refusals = []
        for trigger_id in trigger_ids[deed.place : deed.place + STEP]:
            deed.place += 1
            if why := _why_not(deed, trigger_id, now):
                refusals.append([trigger_id, why])
        deed.refused_count += len(refusals)
        deed.refusals = [*deed.refusals, *refusals][:MOST_REFUSALS]
        if deed.place >= len(trigger_ids):
            deed.ended_at = now
        deed.save(update_fields=["place", "refused_count", "refusals", "ended_at"])
    return deed.ended_at is None


def _why_not(deed: BulkDeed, trigger_id: int, now: datetime) -> str:
    """Do it to one trigger; return why it could not be done, in words, or ""."""
    try:
        if deed.deed == BulkDeed.Deed.TEST:
            firing.test(Trigger.objects.get(pk=trigger_id), now)
        elif deed.deed == BulkDeed.Deed.DELETE:
            definition.delete(trigger_id, now, deed.author)
        else:
            is_on = deed.deed == BulkDeed.Deed.SWITCH_ON
            definition.switch(trigger_id, on=is_on, now=now, by=deed.author)
    except Trigger.DoesNotExist:
        return GONE
    except ValidationError as error:  # its date has passed, say
        return " ".join(error.messages)
    except vault.VaultError as error:  # how it delivers cannot be read here
        return str(error)
    return ""
