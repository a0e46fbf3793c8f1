"""Schedules by API: what one would do, and what fires in the hours to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router

from dashboard.api import auth, bodies
from dashboard.api.errors import not_valid
from dashboard.api.schemas import (
    BODY_REFUSED,
    REFUSED,
    ErrorAnswer,
    FireAnswer,
    PreviewAnswer,
    SchedulePreview,
    UpcomingAnswer,
    UpcomingList,
    UpcomingPage,
    Warned,
)
from dashboard.permissions import Permission
from triggers import definition, doctor, schedules, upcoming
from triggers.models import Trigger

router = Router(tags=["Schedules"])


@router.post(
    "/schedule/preview",
    response={200: PreviewAnswer, **BODY_REFUSED, **REFUSED},
    operation_id="preview_schedule",
    summary="Say a schedule in words, and its next fires; nothing is stored",
)
@auth.needs(Permission.READ)
def preview_schedule(request: HttpRequest, fields: Annotated[SchedulePreview, bodies.JsonBody(...)]) -> PreviewAnswer:
    given = fields.model_dump(exclude={"from_", "count"})
    given["time_zone"] = given["time_zone"] or settings.TIME_ZONE
    after = _from(fields.from_, given["time_zone"])
    draft = definition.draft({**given, "type": Trigger.Type.SCHEDULED, "payload": {}}, after)
    fires = schedules.preview(
        schedules.timetable_of(draft),
        schedules.zone(draft.time_zone),
        after,
        fields.count if draft.is_recurring else 1,
    )
    return PreviewAnswer(
        description=definition.schedule_in_words(draft),
        next=[FireAnswer(at=fire.at.isoformat(), note=fire.note) for fire in fires],
        warnings=Warned.of(doctor.examine(draft, after)),
    )


@router.get(
    "/upcoming",
    response={200: UpcomingList, 422: ErrorAnswer, **REFUSED},
    operation_id="list_upcoming",
    summary="List the fires to come of all triggers, soonest first",
)
@auth.needs(Permission.READ)
def list_upcoming(request: HttpRequest, page: Annotated[UpcomingPage, Query(...)]) -> UpcomingList:
    place = _place(page.cursor) if page.cursor is not None else None
    found = upcoming.fires(
        timezone.now() + timedelta(hours=page.hours), page.limit + 1, place, only=auth.reach_of(request)
    )
    shown = found[: page.limit]
    return UpcomingList.model_construct(
        upcoming=[UpcomingAnswer.of(fire) for fire in shown],
        next=shown[-1].place.as_text() if len(found) > page.limit else None,
    )


def _from(said: str | None, time_zone: str) -> datetime:
    if said is None:
        return timezone.now()
    return schedules.read_instant("from", said, schedules.zone(time_zone))


def _place(cursor: str) -> upcoming.Place:
    """Return the place that a cursor stands for; raises Refusal (422)."""
    place = upcoming.Place.of_text(cursor)
    if place is None:
        raise not_valid({"cursor": ["Pass `next` of the page before on as it is."]})
    return place
