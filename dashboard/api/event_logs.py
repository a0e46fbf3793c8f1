"""The event log by API: newest first, and one event with its attempts."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router

from dashboard.api import auth
from dashboard.api.errors import Refusal
from dashboard.api.paging import cut
from dashboard.api.schemas import (
    NOT_FOUND,
    REFUSED,
    Done,
    ErrorAnswer,
    EventAnswer,
    EventDetail,
    EventList,
    EventPage,
)
from dashboard.permissions import Permission
from triggers import waiting
from triggers.models import Event

router = Router(tags=["Event log"])


@router.get(
    "/event_logs",
    response={200: EventList, 422: ErrorAnswer, **REFUSED},
    operation_id="list_events",
    summary="List events, newest first",
)
@auth.needs(Permission.READ)
def list_events(request: HttpRequest, page: Annotated[EventPage, Query(...)]) -> EventList:
    now = timezone.now()
    rows = auth.within_reach(request, Event.objects.with_plan().order_by("-pk"), "trigger")
    if page.cursor is not None:
        rows = rows.filter(pk__lt=page.cursor)
    if page.trigger_id is not None:
        rows = rows.filter(trigger_id=page.trigger_id)
    if page.outcome is not None:
        rows = rows.with_outcomes([page.outcome])
    if page.state is not None:
        rows = rows.active(now) if page.state == "active" else rows.archived(now)
    events, cursor = cut(rows, page.limit)
    return EventList.model_construct(logs=[EventAnswer.of(event, now) for event in events], next=cursor)


@router.get(
    "/event_logs/{int:event_id}",
    response={200: EventDetail, **NOT_FOUND, **REFUSED},
    operation_id="get_event",
    summary="Show one event with its attempts",
)
@auth.needs(Permission.READ)
def get_event(request: HttpRequest, event_id: int) -> EventDetail:
    found = auth.within_reach(request, Event.objects.with_recipe(), "trigger")
    event = found.prefetch_related("attempts").filter(pk=event_id).first()
    if event is None:
        raise Refusal(404, "There is no such event. Events are deleted when they are too old.")
    return EventDetail.of(event, timezone.now())


@router.post(
    "/event_logs/{int:event_id}/retry",
    response={200: Done, **NOT_FOUND, 409: ErrorAnswer, **REFUSED},
    operation_id="retry_event",
    summary="Send a pending event at once, instead of when its next attempt is due",
)
@auth.needs(Permission.FIRE)
def retry_event(request: HttpRequest, event_id: int) -> Done:
    event, now = _event(request, event_id), timezone.now()
    try:
        waiting.send_now(event, now)
    except waiting.NotWaiting as error:
        raise Refusal(409, _NOT_WAITING) from error
    return Done(message="The event is due now", id=event_id)


@router.post(
    "/event_logs/{int:event_id}/give_up",
    response={200: Done, **NOT_FOUND, 409: ErrorAnswer, **REFUSED},
    operation_id="give_up_event",
    summary="Try a pending event no more: it has failed",
)
@auth.needs(Permission.FIRE)
def give_up_event(request: HttpRequest, event_id: int) -> Done:
    event, now = _event(request, event_id), timezone.now()
    try:
        waiting.give_up(event, auth.caller_in_words(request), now)
    except waiting.NotWaiting as error:
        raise Refusal(409, _NOT_WAITING) from error
    return Done(message="The event was given up: it has failed", id=event_id)


_NOT_WAITING = "The event does not wait: a worker has it, it is finished, or its scheduled instant has not come yet."


def _event(request: HttpRequest, event_id: int) -> Event:
    found = auth.within_reach(request, Event.objects.with_plan(), "trigger")
    event = found.filter(pk=event_id).first()
    if event is None:
        raise Refusal(404, "There is no such event. Events are deleted when they are too old.")
    return event
