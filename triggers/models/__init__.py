"""What is stored.

triggers   the definition, and the ledger of its due instants
changes    what was changed about it, and by whom
events     what was fired, with every attempt
recipes    how events are delivered
replays    many events that are fired again
bulk       what is done to many triggers at once
beat       the lease of the beat, and sums by hour
clusters   which clusters there are, and what the last clean-up did
"""

from __future__ import annotations

from triggers.models.beat import Beat, HourlyCount, Total, TriggerHour
from triggers.models.bulk import BulkDeed
from triggers.models.changes import SERVER, Author, Change, ChangeQuerySet
from triggers.models.clusters import CleanUp, Cluster
from triggers.models.events import (
    DRAFT_NAME,
    LARGEST_ID,
    MANY,
    Attempt,
    Event,
    EventQuerySet,
    active_since,
    retention,
    webhook_id,
)
from triggers.models.recipes import Recipe
from triggers.models.replays import MOST_A_MINUTE, ReplayBatch
from triggers.models.triggers import (
    LONGEST_SPREAD,
    MOST_FIRES,
    ExistingTriggers,
    Ledger,
    Trigger,
    TriggerQuerySet,
)

__all__ = [
    "DRAFT_NAME",
    "LARGEST_ID",
    "LONGEST_SPREAD",
    "MANY",
    "MOST_A_MINUTE",
    "MOST_FIRES",
    "SERVER",
    "Attempt",
    "Author",
    "Beat",
    "BulkDeed",
    "Change",
    "ChangeQuerySet",
    "CleanUp",
    "Cluster",
    "Event",
    "EventQuerySet",
    "ExistingTriggers",
    "HourlyCount",
    "Ledger",
    "Recipe",
    "ReplayBatch",
    "Total",
    "Trigger",
    "TriggerHour",
    "TriggerQuerySet",
    "active_since",
    "retention",
    "webhook_id",
]
