"""The lease of the beat."""

from __future__ import annotations

from datetime import datetime

from triggers.claims.sql import fetch, instant, run

_BEAT_ID = 1


def start_beat(holder: str, now: datetime, cluster: str = "") -> int:
    """Make the caller the only beat and return its generation; an older beat finds out at its next claim."""
    run(
        "INSERT INTO triggers_beat (id, generation, holder, cluster) VALUES (%s, 0, '', '') ON CONFLICT DO NOTHING",
        _BEAT_ID,
    )
    rows = fetch(
        "UPDATE triggers_beat SET generation = generation + 1, holder = %s, cluster = %s, started_at = %s, "
        "seen_at = %s, handed_over_before = handed_over WHERE id = %s RETURNING generation",
        holder,
        cluster,
        instant(now),
        instant(now),
        _BEAT_ID,
    )
    return int(rows[0][0])


def keep_beat(generation: int, now: datetime, handed_over: int = 0) -> bool:
    """Return whether this generation is still the newest, and note that it was seen, and what it has `handed_over`.

    Inside a claim's transaction this is the fence: the row stays locked until the claim is committed.
    """
    return bool(
        run(
            "UPDATE triggers_beat SET seen_at = %s, handed_over = handed_over + %s WHERE id = %s AND generation = %s",
            instant(now),
            handed_over,
            _BEAT_ID,
            generation,
        )
    )


def count_handed_over(generation: int, count: int) -> None:
    """Count what this generation has handed over since it last kept the beat, be it the newest or not."""
    run(
        "UPDATE triggers_beat SET handed_over = handed_over + %s, "
        "handed_over_before = handed_over_before + CASE WHEN generation = %s THEN 0 ELSE %s END WHERE id = %s",
        count,
        generation,
        count,
        _BEAT_ID,
    )


def end_beat(generation: int) -> None:
    """Let go of the lease, so that nobody waits for it to grow stale."""
    run("UPDATE triggers_beat SET seen_at = NULL WHERE id = %s AND generation = %s", _BEAT_ID, generation)
