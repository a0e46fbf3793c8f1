"""Triggers by API: create, read, change, delete, test and fire."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status
from ninja.params.models import Header

from dashboard.api import auth, bodies
from dashboard.api.errors import Refusal, key_used_differently, not_valid
from dashboard.api.paging import cut
from dashboard.api.schemas import (
    BODY_REFUSED,
    IDEMPOTENCY_KEY,
    LEFT_OUT,
    LONGEST_WAIT,
    NOT_FOUND,
    REFUSED,
    ChangeAnswer,
    ChangeList,
    Created,
    Done,
    DraftTest,
    ErrorAnswer,
    EventDetail,
    Fired,
    NewApiTrigger,
    NewScheduledTrigger,
    Page,
    Patience,
    Saved,
    SigningSecret,
    TriggerAnswer,
    TriggerChange,
    TriggerList,
    Warned,
)
from dashboard.permissions import Permission
from triggers import definition, doctor, firing
from triggers.models import LARGEST_ID, Change, Event, Trigger

router = Router(tags=["Triggers"])

CREATES_NONE = "It can change those, and not create one."
LOOK_EVERY_SECONDS = 0.1  # for the end of a test
SPARE_SECONDS = 2  # beyond the timeout of a delivery, for the way through the queue
IF_MATCH = Header(
    LEFT_OUT,
    alias="If-Match",
    description="The ETag of the trigger as it was seen: it is changed only if nobody has saved it since, else 412.",
)
PAYLOAD_BODY = {
    "requestBody": {
        "required": False,
        "description": "A JSON object that replaces the trigger's payload, for this event only.",
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"greeting": "hello"}}},
    }
}


@router.post(
    "/api/triggers",
    response={201: Created, **BODY_REFUSED, **REFUSED},
    operation_id="create_api_trigger",
    summary="Create an API trigger",
)
@auth.needs(Permission.WRITE)
def create_api_trigger(request: HttpRequest, fields: Annotated[NewApiTrigger, bodies.JsonBody(...)]) -> Status[Created]:
    auth.refuse_if_limited(request, CREATES_NONE)
    return Status(201, _created(_create(request, Trigger.Type.API, fields), "API trigger created successfully"))


@router.post(
    "/scheduled/triggers",
    response={201: Created, **BODY_REFUSED, **REFUSED},
    operation_id="create_scheduled_trigger",
    summary="Create a scheduled trigger",
)
@auth.needs(Permission.WRITE)
def create_scheduled_trigger(
    request: HttpRequest, fields: Annotated[NewScheduledTrigger, bodies.JsonBody(...)]
) -> Status[Created]:
    auth.refuse_if_limited(request, CREATES_NONE)
    return Status(
        201, _created(_create(request, Trigger.Type.SCHEDULED, fields), "Scheduled trigger created successfully")
    )


@router.post(
    "/triggers/test",
    response={200: EventDetail, 202: EventDetail, **BODY_REFUSED, **NOT_FOUND, **REFUSED},
    operation_id="test_draft",
    summary="Try a draft once: a real delivery, and no trigger is stored",
)
@auth.needs(Permission.WRITE)
def test_draft(
    request: HttpRequest, fields: Annotated[DraftTest, bodies.JsonBody(...)], patience: Annotated[Patience, Query(...)]
) -> Status[EventDetail]:
    """The event is on record as a test of no trigger, and never counts in figures. 202: it was not finished in time."""
    now = timezone.now()
    draft = _draft(request, fields, now)
    event = firing.test_draft(draft, now)
    timeout = draft.recipe.timeout_seconds if draft.recipe else None
    seconds = min((timeout or settings.DELIVERY_TIMEOUT_SECONDS) + SPARE_SECONDS, LONGEST_WAIT)
    is_finished = _wait_for(event.pk, seconds if patience.wait_seconds is None else patience.wait_seconds)
    event = Event.objects.with_recipe().prefetch_related("attempts").get(pk=event.pk)
    return Status(200 if is_finished else 202, EventDetail.of(event, timezone.now()))


@router.get(
    "/triggers",
    response={200: TriggerList, 422: ErrorAnswer, **REFUSED},
    operation_id="list_triggers",
    summary="List triggers, by id",
)
@auth.needs(Permission.READ)
def list_triggers(request: HttpRequest, page: Annotated[Page, Query(...)]) -> TriggerList:
    rows = auth.within_reach(request, Trigger.objects.with_delivery().order_by("pk"))
    if page.cursor is not None:
        rows = rows.filter(pk__gt=page.cursor)
    triggers, cursor = cut(rows, page.limit)
    return TriggerList.model_construct(triggers=[TriggerAnswer.of(trigger) for trigger in triggers], next=cursor)


@router.get(
    "/triggers/{int:trigger_id}",
    response={200: TriggerAnswer, **NOT_FOUND, **REFUSED},
    operation_id="get_trigger",
    summary="Show one trigger",
)
@auth.needs(Permission.READ)
def get_trigger(request: HttpRequest, response: HttpResponse, trigger_id: int) -> TriggerAnswer:
    trigger = _trigger(request, trigger_id)
    response["ETag"] = _etag(trigger)
    return TriggerAnswer.of(trigger)


@router.put(
    "/triggers/{int:trigger_id}",
    response={200: Saved, **BODY_REFUSED, **NOT_FOUND, 412: ErrorAnswer, **REFUSED},
    operation_id="change_trigger",
    summary="Change a trigger; fields left out stay",
)
@auth.needs(Permission.WRITE)
def change_trigger(
    request: HttpRequest,
    response: HttpResponse,
    trigger_id: int,
    fields: Annotated[TriggerChange, bodies.JsonBody(...)],
    if_match: Annotated[str, IF_MATCH] = LEFT_OUT,
) -> Saved:
    _refuse_out_of_reach(request, trigger_id)
    now, by = timezone.now(), auth.author_of(request)
    try:
        trigger = definition.change(trigger_id, fields.fields(), now, by, seen=_versions(if_match))
    except definition.Conflict as error:
        words = "The trigger was saved by someone else since. Read it again; /changes says what is new."
        raise Refusal(412, words) from error
    except Trigger.DoesNotExist as error:
        raise _no_trigger() from error
    response["ETag"] = _etag(trigger)
    return _saved(trigger, "Trigger updated successfully")


@router.delete(
    "/triggers/{int:trigger_id}",
    response={200: Done, **NOT_FOUND, **REFUSED},
    operation_id="delete_trigger",
    summary="Delete a trigger; its events stay until they expire",
)
@auth.needs(Permission.WRITE)
def delete_trigger(request: HttpRequest, trigger_id: int) -> Done:
    _refuse_out_of_reach(request, trigger_id)
    try:
        definition.delete(trigger_id, timezone.now(), auth.author_of(request))
    except Trigger.DoesNotExist as error:
        raise _no_trigger() from error
    return Done(message="Trigger deleted successfully", id=trigger_id)


@router.get(
    "/triggers/{int:trigger_id}/changes",
    response={200: ChangeList, 422: ErrorAnswer, **NOT_FOUND, **REFUSED},
    operation_id="list_changes",
    summary="List what was changed about a trigger, newest first",
)
@auth.needs(Permission.READ)
def list_changes(request: HttpRequest, trigger_id: int, page: Annotated[Page, Query(...)]) -> ChangeList:
    """Also of a trigger that was deleted, for as long as changes are kept."""
    _refuse_out_of_reach(request, trigger_id)
    rows = Change.objects.filter(trigger=trigger_id).newest_first()
    if not rows.exists() and not Trigger.objects.filter(pk=trigger_id).exists():
        raise _no_trigger()
    if page.cursor is not None:
        rows = rows.filter(pk__lt=page.cursor)
    changes, cursor = cut(rows, page.limit)
    return ChangeList.model_construct(changes=[ChangeAnswer.of(change) for change in changes], next=cursor)


@router.post(
    "/triggers/{int:trigger_id}/signing_secret",
    response={200: SigningSecret, **NOT_FOUND, **REFUSED},
    operation_id="rotate_signing_secret",
    summary="Sign by a new secret, and for a day by the old one too",
)
@auth.needs(Permission.WRITE)
def rotate_signing_secret(request: HttpRequest, trigger_id: int) -> SigningSecret:
    _refuse_out_of_reach(request, trigger_id)
    now = timezone.now()
    try:
        secret = definition.rotate_signing_secret(trigger_id, now, auth.author_of(request))
    except Trigger.DoesNotExist as error:
        raise _no_trigger() from error
    return SigningSecret(
        message="Signing secret rotated successfully",
        id=trigger_id,
        signing_secret=secret,
        old_secret_until=now + definition.OLD_SECRET_LASTS,
    )


@router.post(
    "/triggers/{int:trigger_id}/test",
    response={200: Fired, **NOT_FOUND, **REFUSED},
    operation_id="test_trigger",
    summary="Fire once for a test",
)
@auth.needs(Permission.FIRE)
def test_trigger(request: HttpRequest, trigger_id: int) -> Fired:
    """A real delivery, tried once; the event never counts in figures. Works on a trigger that is off."""
    event = firing.test(_trigger(request, trigger_id), timezone.now())
    return Fired(message="Trigger fired manually for testing", id=event.pk, trigger_id=trigger_id)


@router.post(
    "/triggers/{int:trigger_id}/fire",
    response={202: Fired, **BODY_REFUSED, **NOT_FOUND, 409: ErrorAnswer, **REFUSED},
    operation_id="fire_trigger",
    summary="Fire",
    openapi_extra=PAYLOAD_BODY,
)
@auth.needs(Permission.FIRE)
def fire_trigger(
    request: HttpRequest,
    response: HttpResponse,
    trigger_id: int,
    idempotency_key: Annotated[str, IDEMPOTENCY_KEY] = LEFT_OUT,
) -> Status[Fired]:
    """202 means that the event is stored; it is delivered at once, by the cluster."""
    payload = bodies.optional_object(request)
    trigger = _trigger_to_fire(request, trigger_id)
    try:
        fired = firing.fire(trigger, timezone.now(), payload, idempotency_key)
    except firing.TriggerIsOff as error:
        raise Refusal(409, "The trigger is switched off. Set enabled to true, or call test.") from error
    except firing.KeyUsedDifferently as error:
        raise key_used_differently() from error
    if fired.is_repeat:
        response["Idempotent-Replay"] = "true"
    return Status(202, Fired(message="Trigger fired", id=fired.event.pk, trigger_id=trigger_id))


def _create(request: HttpRequest, of_type: Trigger.Type, fields: NewApiTrigger | NewScheduledTrigger) -> Trigger:
    given = {"time_zone": settings.TIME_ZONE} | fields.fields()
    return definition.create({**given, "type": of_type}, timezone.now(), auth.author_of(request))


def _draft(request: HttpRequest, fields: DraftTest, now: datetime) -> Trigger:
    """Return the trigger that a create with these fields would make, or a change of the one that they name."""
    given = fields.fields()
    if "trigger_id" in fields.model_fields_set:
        return definition.draft(given, now, _trigger(request, fields.trigger_id))
    auth.refuse_if_limited(request, "Give a change of one of them as a draft, with its trigger_id.")
    given = {"type": Trigger.Type.API, "time_zone": settings.TIME_ZONE} | given
    if given["type"] == Trigger.Type.API and "api_endpoint" not in given:
        raise not_valid({"api_endpoint": ["This field is required."]})
    return definition.draft(given, now)


def _wait_for(event_id: int, seconds: float) -> bool:
    """Wait until the event is finished, at most so long, and return whether it is."""
    ends_at = time.monotonic() + seconds
    while not (is_finished := Event.objects.finished().filter(pk=event_id).exists()) and time.monotonic() < ends_at:
        time.sleep(LOOK_EVERY_SECONDS)
    return is_finished


def _saved(trigger: Trigger, message: str) -> Saved:
    warnings = Warned.of(doctor.examine(trigger, timezone.now()))
    return Saved(
        message=message,
        id=trigger.pk,
        next_fire_at=trigger.next_fire_at,
        version=trigger.version,
        warnings=warnings,
    )


def _etag(trigger: Trigger) -> str:
    return f'"{trigger.version}"'


def _versions(if_match: str | None) -> list[int] | None:
    """Return the versions that an If-Match names, also as a proxy that compresses has weakened them; None: any."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")]
    return [int(tag) for tag in tags if tag.isascii() and tag.isdigit() and len(tag) < 19]


def _created(trigger: Trigger, message: str) -> Created:
    """As _saved(), with what requests are signed by: the one time that it is shown."""
    secret = trigger.recipe.signing_secret if trigger.recipe else ""
    return Created(**_saved(trigger, message).__dict__, signing_secret=secret)


def _trigger(request: HttpRequest, trigger_id: int) -> Trigger:
    """Return the trigger; raises Refusal (404)."""
    try:
        return auth.within_reach(request, Trigger.objects.with_delivery()).get(pk=trigger_id)
    except Trigger.DoesNotExist as error:
        raise _no_trigger() from error


def _trigger_to_fire(request: HttpRequest, trigger_id: int) -> Trigger:
    """As _trigger(), in half the time: firing is the busiest call of all."""
    if trigger_id > LARGEST_ID:
        raise _no_trigger()
    found = Trigger.with_deleted.raw(
        "SELECT * FROM triggers_trigger WHERE id = %s AND deleted_at IS NULL", [trigger_id]
    )
    for trigger in found:
        if auth.reaches(request, trigger_id):
            return trigger
    raise _no_trigger()


def _refuse_out_of_reach(request: HttpRequest, trigger_id: int) -> None:
    """Raise Refusal (404) for a trigger that the caller does not know of."""
    if trigger_id > LARGEST_ID or not auth.reaches(request, trigger_id):
        raise _no_trigger()


def _no_trigger() -> Refusal:
    return Refusal(404, "There is no such trigger.")
