"""What waits is called off, or sent at once."""

from __future__ import annotations

from datetime import datetime

from triggers.claims.hours import Finished, count_finished
from triggers.claims.sql import fetch, instant, run, skip_locked


def skip_pending(batch_id: int, reason: str, now: datetime) -> int:
    """Skip those replays of a batch that nobody has in hand, and return how many they were.

    By compare-and-set: what a worker takes at this moment is under way, and stays.
    """
    skipped = fetch(
        "UPDATE triggers_event SET outcome = 'skipped', reason = %s, hand_over_at = NULL, finished_at = %s, "
        # It was to fire a little later, and never will.
        "triggered_at = CASE WHEN triggered_at > %s THEN %s ELSE triggered_at END "
        "WHERE id IN (SELECT id FROM triggers_event WHERE batch_id = %s AND outcome = 'pending' ORDER BY id"
        + skip_locked("triggers_event")
        + ") AND outcome = 'pending' RETURNING trigger_id, outcome, triggered_at, is_test",
        reason,
        *[instant(now)] * 3,
        batch_id,
    )
    count_finished(Finished(*row) for row in skipped)
    return len(skipped)


def hasten(event_id: int, now: datetime) -> bool:
    """Make a pending event due at once, and return whether it was pending. Never before its scheduled instant."""
    at = instant(now)
    return bool(
        run(
            "UPDATE triggers_event SET due_at = CASE WHEN due_at > %s THEN %s ELSE due_at END, hand_over_at = %s, "
            # A replay may be written ahead of its time.
            "triggered_at = CASE WHEN triggered_at > %s THEN %s ELSE triggered_at END "
            "WHERE id = %s AND outcome = 'pending' AND (scheduled_for IS NULL OR scheduled_for <= %s)",
            *[at] * 5,
            event_id,
            at,
        )
    )


def give_up(event_id: int, reason: str, now: datetime) -> bool:
    """End a pending event as failed, and return whether it was pending."""
    at = instant(now)
    failed = fetch(
        "UPDATE triggers_event SET outcome = 'failed', reason = %s, hand_over_at = NULL, finished_at = %s, "
        "triggered_at = CASE WHEN triggered_at > %s THEN %s ELSE triggered_at END "
        "WHERE id = %s AND outcome = 'pending' RETURNING trigger_id, outcome, triggered_at, is_test",
        reason,
        *[at] * 3,
        event_id,
    )
    count_finished(Finished(*row) for row in failed)
    return bool(failed)
