"""How the API writes and reads the settings of a delivery: grouped for its callers, flat for `triggers.definition`.

success.statuses …      success_statuses …
retries, a preset's     retry_delays, retry_statuses, retries_silence
name or an object
headers, of objects     headers, of triples [name, value, is_secret]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from triggers import backoff, request_headers, vault
from triggers.models import Recipe, recipes
from triggers.verdict import LONGEST_LIMIT, SHORTEST_LIMIT

LEFT_OUT: Any = None  # the default of what a call may leave out; no call brings a null in
MASK = vault.MASK

_PARTS = {"retries_silence": "retries.no_answer"}
_GROUPS = {"success_": "success.", "retry_": "retries."}
_GROWING = ("count", "first_seconds", "factor", "longest_seconds")


class Given(BaseModel):
    """What a call brings: of just these types, and nothing unknown."""

    model_config = ConfigDict(strict=True, extra="forbid")


Method = Literal["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"]
Preset = Literal["none", "quick", "patient"]
Timeout = Annotated[
    int | None,
    Field(
        ge=1,
        le=recipes.LONGEST_TIMEOUT,
        description="How long an answer may take, in seconds; null: as the server's setting says.",
    ),
]
MostAtOnce = Annotated[
    int | None,
    Field(ge=1, le=recipes.MOST_AT_ONCE, description="Requests of this trigger at once; null: as many as its host."),
]
RatePerMinute = Annotated[
    int | None, Field(ge=1, le=recipes.MOST_A_MINUTE, description="Requests of this trigger a minute; null: no limit.")
]
SwitchOffAfter = Annotated[
    int | None,
    Field(ge=1, le=1000, description="After so many failed events in a row it switches itself off; null: never."),
]
BodyTemplate = Annotated[
    str,
    Field(
        description="Mustache, with event.id, trigger.name, scheduled_for, attempt and payload.…; "
        "empty: the payload as JSON.",
        examples=['{"text": "{{trigger.name}}: {{payload.greeting}}"}'],
    ),
]
Statuses = Annotated[str, Field(description="Statuses, ranges and classes.", examples=["2xx", "200-204, 304"])]
VerifyTls = Annotated[
    bool, Field(description="false: any certificate will do, and whoever sits on the line may read and change all.")
]
ClientCertificate = Annotated[
    str, Field(description="PEM of what is shown to an endpoint that asks who calls; empty: none.")
]


# --- In ------------------------------------------------------------------------------------------------


class HeaderGiven(Given):
    """A header of every request. `••••••` in place of a secret value leaves the stored one as it is."""

    name: str = Field(examples=["Authorization"])
    value: str = Field(examples=["Bearer 5f3a"])
    secret: bool = Field(
        LEFT_OUT,
        description="Whether the value is never shown again. Left out: true, but for harmless names such as Accept.",
    )


class SuccessGiven(Given):
    """What an answer must be to count as success."""

    statuses: Statuses = LEFT_OUT
    json_path: str = Field(LEFT_OUT, description="Leads to one value of a JSON body.", examples=["$.status"])
    json_equals: Any = Field(LEFT_OUT, description="The JSON value that stands there.", examples=["ok"])
    contains: str = Field(LEFT_OUT, description="Text that the body contains.")
    longest_seconds: float | None = Field(
        LEFT_OUT, description=f"How long it took at most, {SHORTEST_LIMIT:g} to {LONGEST_LIMIT:g}; null: no such check."
    )


class RetriesGiven(Given):
    """What follows a failed attempt: a preset, delays that grow, or delays one by one."""

    preset: Preset | None = LEFT_OUT
    delays: list[float] = Field(LEFT_OUT, description="Seconds before each retry, at most 50.", examples=[[5, 60]])
    count: int = Field(LEFT_OUT, description="So many retries, with delays that grow.")
    first_seconds: float = Field(LEFT_OUT, description="With count: the first delay; left out: 5.")
    factor: float = Field(LEFT_OUT, description="With count: each delay is so many times the one before; left out: 2.")
    longest_seconds: float = Field(LEFT_OUT, description="With count: no delay is longer; left out: 3600.")
    statuses: str = Field(LEFT_OUT, description="Answers that are retried; empty: all failures.", examples=["5xx, 429"])
    no_answer: bool = Field(LEFT_OUT, description="Whether it is tried again when no answer came.")
    description: str = Field(LEFT_OUT, description="Ignored, so that what is shown can be sent back.")


class _OrPreset:
    """Says in the schema that the name of a preset will do."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "enum": list(backoff.PRESETS)}, handler(schema)]}


def _whole_preset(value: object) -> object:
    """Return what a preset's name stands for: all of the retries."""
    return {"preset": value, "statuses": "", "no_answer": True} if isinstance(value, str) else value


Retries = Annotated[RetriesGiven, BeforeValidator(_whole_preset), _OrPreset()]


class DeliveryGiven(Given):
    """How events are delivered; fields that are left out stay, or are as the server would have them."""

    method: Method = LEFT_OUT
    headers: list[HeaderGiven] = Field(LEFT_OUT, max_length=request_headers.MOST_HEADERS)
    body_template: BodyTemplate = LEFT_OUT
    timeout_seconds: Timeout = LEFT_OUT
    success: SuccessGiven = LEFT_OUT
    retries: Retries = LEFT_OUT
    most_at_once: MostAtOnce = LEFT_OUT
    rate_per_minute: RatePerMinute = LEFT_OUT
    switch_off_after: SwitchOffAfter = LEFT_OUT
    verify_tls: VerifyTls = LEFT_OUT
    client_certificate: ClientCertificate = LEFT_OUT
    client_key: str = Field(LEFT_OUT, description="PEM of its key, never shown again. Both or none.")

    def fields(self) -> dict[str, Any]:
        """Return the fields that were given, as `definition` names them; raises ValidationError as `flat` does."""
        return flat(self.model_dump(exclude_unset=True))


def flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as `definition` names them; raises ValidationError for retries that contradict themselves."""
    fields = dict(given)
    if "headers" in fields:
        fields["headers"] = [_triple(**header) for header in fields["headers"]]
    if "success" in fields:
        fields |= {f"success_{name}": value for name, value in fields.pop("success").items()}
    if "retries" in fields:
        fields |= _flat_retries(fields.pop("retries"))
    return fields


def shown_name(field: str) -> str:
    """Return what the API calls a field of `definition`: "success.json_path" for success_json_path."""
    for beginning, group in _GROUPS.items():
        if field.startswith(beginning):
            return group + field.removeprefix(beginning)
    return _PARTS.get(field, field)


def _triple(name: str, value: str, secret: bool | None = None) -> list[Any]:
    return [name, value, not request_headers.is_harmless(name) if secret is None else secret]


def _flat_retries(given: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "statuses" in given:
        fields["retry_statuses"] = given["statuses"]
    if "no_answer" in given:
        fields["retries_silence"] = given["no_answer"]
    said = [delays for delays in (_of_preset(given), _of_growth(given), given.get("delays")) if delays is not None]
    if any(list(delays) != list(said[0]) for delays in said):
        words = (
            "These contradict each other: use one of preset, delays, or count with its growth, and leave out the rest."
        )
        raise ValidationError({"retries": [words]})
    if said:
        fields["retry_delays"] = list(said[0])
    return fields


def _of_preset(given: Mapping[str, Any]) -> tuple[float, ...] | None:
    name = given.get("preset")
    return None if name is None else backoff.PRESETS[name].delays


def _of_growth(given: Mapping[str, Any]) -> tuple[float, ...] | None:
    growth = {name: given[name] for name in _GROWING if name in given}
    if not growth:
        return None
    if "count" not in growth:
        raise ValidationError({"retry_count": ["This field is required where delays grow."]})
    try:
        return backoff.growing(**{"first_seconds": 5, "factor": 2, "longest_seconds": 3600} | growth)
    except backoff.RetriesError as error:
        raise ValidationError({f"retry_{error.field}": [str(error)]}) from error


# --- Out -----------------------------------------------------------------------------------------------


class HeaderAnswer(BaseModel):
    name: str
    value: str = Field(description="•••••• in place of a secret value.")
    secret: bool


class SuccessAnswer(BaseModel):
    statuses: str
    json_path: str
    json_equals: Any
    contains: str
    longest_seconds: float | None


class RetriesAnswer(BaseModel):
    preset: Preset | None = Field(description="null: none has these delays.")
    delays: list[float] = Field(description="Seconds before each retry.")
    statuses: str = Field(description="Answers that are retried; empty: all failures.")
    no_answer: bool
    description: str = Field(examples=["2, after 5 s and 1 min. Gives up after about 1 min 5 s"])


class DeliveryAnswer(BaseModel):
    """How events are delivered."""

    method: Method
    headers: list[HeaderAnswer]
    body_template: str = Field(description="Empty: the payload as JSON.")
    timeout_seconds: int | None = Field(description="null: as the server's setting says.")
    success: SuccessAnswer
    retries: RetriesAnswer
    most_at_once: int | None
    rate_per_minute: int | None
    switch_off_after: int | None
    verify_tls: bool
    client_certificate: str
    has_client_key: bool = Field(description="The key itself is never shown.")


def shown(recipe: Recipe) -> dict[str, Any]:
    """Return the fields of DeliveryAnswer. No secret is in them, nor is one read that has no value to mask."""
    retries = recipe.retries
    return {
        "method": recipe.method,
        "headers": [
            HeaderAnswer.model_construct(name=name, value=value, secret=secret)
            for name, value, secret in recipe.shown_headers
        ],
        "body_template": recipe.body_template,
        "timeout_seconds": recipe.timeout_seconds,
        "success": SuccessAnswer.model_construct(
            statuses=recipe.success_statuses,
            json_path=recipe.success_json_path,
            json_equals=recipe.success_json_equals,
            contains=recipe.success_contains,
            longest_seconds=recipe.success_longest_seconds,
        ),
        "retries": RetriesAnswer.model_construct(
            preset=next((name for name, each in backoff.PRESETS.items() if each.delays == retries.delays), None),
            delays=list(retries.delays),
            statuses=retries.statuses,
            no_answer=retries.is_silence_retried,
            description=backoff.in_words(retries),
        ),
        "most_at_once": recipe.most_at_once,
        "rate_per_minute": recipe.rate_per_minute,
        "switch_off_after": recipe.switch_off_after,
        "verify_tls": recipe.verify_tls,
        "client_certificate": recipe.client_certificate,
        "has_client_key": bool(recipe.client_certificate),  # both or none
    }
