"""Replays by API: one event, or many that failed for good, at a rate, with their progress."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Status

from dashboard.api import auth, bodies
from dashboard.api.errors import LONGEST_NAME, Refusal, key_used_differently, not_valid
from dashboard.api.schemas import (
    BODY_REFUSED,
    IDEMPOTENCY_KEY,
    LEFT_OUT,
    NOT_FOUND,
    REFUSED,
    ErrorAnswer,
    NewReplays,
    Replayed,
    ReplayForecast,
    ReplaysAnswer,
)
from dashboard.permissions import Permission
from triggers import firing, replays, schedules
from triggers.models import Event, ReplayBatch, Trigger

router = Router(tags=["Replays"])

ENDPOINT_BODY = {
    "requestBody": {
        "required": False,
        "description": "Where to: as the trigger delivers `today` (also when there is no body), or as it was `then`.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"endpoint": {"type": "string", "enum": ["today", "then"]}},
                    "additionalProperties": False,
                },
                "example": {"endpoint": "then"},
            }
        },
    }
}


@router.post(
    "/event_logs/{int:event_id}/replay",
    response={202: Replayed, **BODY_REFUSED, **NOT_FOUND, 409: ErrorAnswer, **REFUSED},
    operation_id="replay_event",
    summary="Fire an event again, as a new one",
    openapi_extra=ENDPOINT_BODY,
)
@auth.needs(Permission.FIRE)
def replay_event(
    request: HttpRequest,
    response: HttpResponse,
    event_id: int,
    idempotency_key: Annotated[str, IDEMPOTENCY_KEY] = LEFT_OUT,
) -> Status[Replayed]:
    """202 means that the new event is stored; it is delivered at once, by the cluster."""
    uses_todays_endpoint = _is_today(bodies.optional_object(request) or {})
    event = Event.objects.select_related("trigger").filter(pk=event_id).first()
    if event is None or not auth.reaches(request, event.trigger_id):
        raise Refusal(404, "There is no such event. Events are deleted when they are too old.")
    try:
        replay = firing.replay(event, timezone.now(), uses_todays_endpoint=uses_todays_endpoint, key=idempotency_key)
    except firing.NotFinished as error:
        raise Refusal(409, "The event is not finished yet: its own delivery goes on.") from error
    except firing.NoEndpointOfToday as error:
        words = "Its trigger was deleted, so there is no endpoint of today. Use {“endpoint”: “then”}."
        raise Refusal(409, words) from error
    except firing.KeyUsedDifferently as error:
        raise key_used_differently() from error
    if replay.is_repeat:
        response["Idempotent-Replay"] = "true"
    return Status(202, Replayed(message="Event replayed", id=replay.event.pk, replay_of=event.pk))


@router.post(
    "/replays",
    response={200: ReplayForecast, 202: ReplaysAnswer, **BODY_REFUSED, **REFUSED},
    operation_id="begin_replays",
    summary="Fire events again that failed for good; or (dry_run) count them",
)
@auth.needs(Permission.FIRE)
def begin_replays(
    request: HttpRequest, fields: Annotated[NewReplays, bodies.JsonBody(...)]
) -> Status[ReplayForecast] | Status[ReplaysAnswer]:
    if fields.trigger_id is None:
        auth.refuse_if_limited(request, "Name one of them as trigger_id.")
    else:
        is_there = Trigger.with_deleted.filter(pk=fields.trigger_id).exists()
        if not is_there or not auth.reaches(request, fields.trigger_id):
            raise not_valid({"trigger_id": ["There is no such trigger."]})
    selection = replays.Selection(
        fields.trigger_id, _instant("fired_from", fields.fired_from), _instant("fired_until", fields.fired_until)
    )
    how = replays.How(fields.endpoint == "today", fields.skip_superseded, fields.rate_per_minute)
    if fields.dry_run:
        forecast = replays.count(selection, how)
        return Status(
            200,
            ReplayForecast(
                total=forecast.failed,
                replayed=forecast.replayed,
                superseded=forecast.superseded,
                without_trigger=forecast.homeless,
                lasts_seconds=how.lasts(forecast.replayed).total_seconds(),
            ),
        )
    batch = replays.begin(selection, how, auth.caller_in_words(request), timezone.now())
    return Status(202, ReplaysAnswer.of(batch, replays.progress(batch)))


@router.get(
    "/replays/{int:replay_id}",
    response={200: ReplaysAnswer, **NOT_FOUND, **REFUSED},
    operation_id="get_replays",
    summary="Show how far many replays are",
)
@auth.needs(Permission.READ)
def get_replays(request: HttpRequest, replay_id: int) -> ReplaysAnswer:
    batch = ReplayBatch.objects.filter(pk=replay_id).first()
    if batch is None or not auth.reaches(request, batch.trigger_id):
        raise _no_batch()
    return ReplaysAnswer.of(batch, replays.progress(batch))


@router.post(
    "/replays/{int:replay_id}/cancel",
    response={200: ReplaysAnswer, **NOT_FOUND, **REFUSED},
    operation_id="cancel_replays",
    summary="Make no more replays, and skip those that wait; what is under way finishes",
)
@auth.needs(Permission.FIRE)
def cancel_replays(request: HttpRequest, replay_id: int) -> ReplaysAnswer:
    """Of replays that are over nothing changes."""
    get_replays(request, replay_id)
    try:
        batch = replays.cancel(replay_id, auth.caller_in_words(request), timezone.now())
    except ReplayBatch.DoesNotExist as error:
        raise _no_batch() from error
    return ReplaysAnswer.of(batch, replays.progress(batch))


def _is_today(given: dict[str, Any]) -> bool:
    """Return what the optional body says; raises Refusal (422)."""
    if unknown := [name for name in given if name != "endpoint"]:
        raise not_valid({unknown[0][:LONGEST_NAME]: ["There is no such field: leave it out."]})
    endpoint = given.get("endpoint", "today")
    if endpoint not in ("today", "then"):
        raise not_valid({"endpoint": ["Use 'today' or 'then'."]})
    return bool(endpoint == "today")


def _instant(field: str, said: str | None) -> datetime | None:
    """Return the instant, by the server's clock unless it has an offset; raises ScheduleError (422)."""
    return (
        None
        if said is None
        else schedules.read_instant(field, said, schedules.zone(timezone.get_default_timezone_name()))
    )


def _no_batch() -> Refusal:
    return Refusal(404, "There are no such replays. They are forgotten with their events.")
