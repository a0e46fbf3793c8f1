"""What people fill in: the trigger, the first account, signing in, a new password."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError

from dashboard.models import User
from dashboard.previews import offset_in_words
from triggers import outbound, payloads, schedules
from triggers.models import Trigger

ALWAYS = "true"
ONCE = "false"
PASSWORD_RULES = "At least 8 characters; not a common one, not only digits, not like your name."  # noqa: S105 (words)
UNITS = ((1, "seconds"), (60, "minutes"), (3600, "hours"), (86_400, "days"))


class TriggerForm(forms.Form):
    """A trigger as a person describes it. `fields_of_trigger` says the same in the words of `triggers.definition`.

    Every field is always there; which of them count depends on `type` and `schedule_type`, so that the page works
    without JavaScript. The rules are the engine's own, read field by field so that
    all errors show at once; what only the definition sees comes back through `blame`.
    """

    # Which field here carries the schedule's value.
    VALUE_FIELDS = {Trigger.ScheduleType.FIXED_TIME: "at", Trigger.ScheduleType.FIXED_INTERVAL: "every"}

    name = forms.CharField(
        max_length=120,
        required=False,
        help_text="Left empty, it is named after its schedule.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    type = forms.ChoiceField(
        label="What starts it",
        choices=Trigger.Type.choices,
        initial=Trigger.Type.SCHEDULED,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what starts it."},
    )
    schedule_type = forms.ChoiceField(
        label="Kind of schedule",
        choices=[(kind.value, kind.label) for kind in VALUE_FIELDS],
        initial=Trigger.ScheduleType.FIXED_TIME,
        required=False,
        widget=forms.RadioSelect,
    )
    at = forms.CharField(
        label="Time",
        required=False,
        help_text="24-hour clock, HH:MM",
        widget=forms.TextInput(attrs={"placeholder": "08:00", "maxlength": 5, "autocomplete": "off"}),
    )
    every = forms.CharField(
        label="Every",
        max_length=8,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "30", "inputmode": "numeric", "autocomplete": "off"}),
    )
    unit = forms.TypedChoiceField(
        choices=UNITS,
        coerce=int,
        initial=60,
        empty_value=1,  # type: ignore[arg-type]  # the stubs know text only
        required=False,
        widget=forms.Select(attrs={"aria-label": "Unit of time"}),
    )
    is_recurring = forms.TypedChoiceField(
        label="Repeat",
        choices=((ALWAYS, "Recurring"), (ONCE, "One time, then switch off")),
        coerce=lambda value: value == ALWAYS,
        initial=ALWAYS,
        empty_value=True,  # type: ignore[arg-type]  # the stubs know text only
        required=False,
        widget=forms.RadioSelect,
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        required=False,
        error_messages={"invalid_choice": "Choose a time zone from the list."},
    )
    api_endpoint = forms.CharField(
        label="Endpoint",
        max_length=2000,
        required=False,
        widget=forms.TextInput(
            attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        ),
    )
    payload = forms.CharField(
        required=False,
        strip=False,
        initial="{\n  \n}",
        help_text="A JSON object, sent as it stands. At most 256 KiB.",
        widget=forms.Textarea(attrs={"rows": 7, "spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}),
    )
    is_test = forms.BooleanField(label="All its events are tests", required=False)
    enabled = forms.BooleanField(label="On after saving", required=False, initial=True)

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = cast(forms.ChoiceField, self.fields["time_zone"])
        zones.initial = settings.TIME_ZONE
        zones.choices = _zone_choices(now, self.initial.get("time_zone"))

    @classmethod
    def initial_of(cls, trigger: Trigger) -> dict[str, Any]:
        """Return what the form shows for a trigger."""
        shown: dict[str, Any] = {
            "name": trigger.name,
            "type": trigger.type,
            "schedule_type": trigger.schedule_type or Trigger.ScheduleType.FIXED_TIME,
            "is_recurring": ALWAYS if trigger.is_recurring else ONCE,
            "time_zone": trigger.time_zone,
            "api_endpoint": trigger.api_endpoint,
            "payload": json.dumps(trigger.payload, indent=2, ensure_ascii=False),
            "is_test": trigger.is_test,
            "enabled": trigger.enabled,
        }
        if trigger.schedule_type == Trigger.ScheduleType.FIXED_TIME:
            shown["at"] = trigger.schedule_value
        elif trigger.schedule_type == Trigger.ScheduleType.FIXED_INTERVAL:
            seconds = int(trigger.schedule_value)
            shown["unit"] = max(size for size, _ in UNITS if seconds % size == 0)
            shown["every"] = str(seconds // shown["unit"])
        return shown

    def clean_at(self) -> str:
        """Return the time as HH:MM; "8:00" and "08:00:00", which some browsers' habits make, are understood."""
        if not self._counts("at"):
            return ""
        at = _two_digits(self.cleaned_data["at"])
        try:
            schedules.read(Trigger.ScheduleType.FIXED_TIME, at, "UTC", datetime.now(UTC))
        except schedules.ScheduleError as error:
            raise ValidationError(str(error)) from error
        return at

    def clean_every(self) -> str:
        if not self._counts("every"):
            return ""
        every: str = self.cleaned_data["every"]
        if not (every.isascii() and every.isdigit() and int(every) >= 1):
            raise ValidationError("Use a whole number, from 1.")
        return every

    def clean_api_endpoint(self) -> str:
        endpoint: str = self.cleaned_data["api_endpoint"]
        try:
            return outbound.checked_endpoint(endpoint) if endpoint else ""
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def clean_payload(self) -> dict[str, Any]:
        """Return the JSON object; an empty field means an empty object."""
        text: str = self.cleaned_data["payload"]
        try:
            return payloads.parse_object(text) if text.strip() else {}
        except payloads.PayloadError as error:
            raise ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        is_scheduled = cleaned.get("type") == Trigger.Type.SCHEDULED
        if is_scheduled and not cleaned.get("schedule_type") and "schedule_type" not in self.errors:
            self.add_error("schedule_type", "Choose a kind of schedule.")
        unit = cleaned.get("unit", 1)
        longest = schedules.LONGEST_INTERVAL // unit
        if cleaned.get("every") and int(cleaned["every"]) > longest:
            self.add_error("every", f"At most {longest} {dict(UNITS)[unit]}, which is a year.")
        return cleaned

    def fields_of_trigger(self) -> dict[str, Any]:
        """Return the cleaned fields as `triggers.definition` takes them."""
        cleaned = self.cleaned_data
        return {
            "name": cleaned["name"],
            "type": cleaned["type"],
            **self.fields_of_schedule(),
            "api_endpoint": cleaned["api_endpoint"],
            "payload": cleaned["payload"],
            "is_test": cleaned["is_test"],
            "enabled": cleaned["enabled"],
        }

    def fields_of_schedule(self) -> dict[str, Any]:
        """Return the part of `fields_of_trigger` that says when; there even when other fields are in error."""
        cleaned = self.cleaned_data
        is_scheduled = cleaned.get("type") == Trigger.Type.SCHEDULED
        schedule_type = cleaned.get("schedule_type", "") if is_scheduled else ""
        value = cleaned.get("at", "")
        if schedule_type == Trigger.ScheduleType.FIXED_INTERVAL:
            value = str(int(cleaned["every"]) * cleaned.get("unit", 1)) if cleaned.get("every") else ""
        return {
            "schedule_type": schedule_type,
            "schedule_value": value if is_scheduled else "",
            "is_recurring": cleaned.get("is_recurring", True),
            "time_zone": cleaned.get("time_zone") or settings.TIME_ZONE,
        }

    def blame(self, error: ValidationError) -> None:
        """Put the definition's errors at the fields that a person sees."""
        value_field = self.VALUE_FIELDS.get(self.cleaned_data.get("schedule_type", ""), "schedule_type")
        for field, words in error.message_dict.items():
            shown_at = {"schedule_value": value_field}.get(field, field)
            self.add_error(shown_at if shown_at in self.fields else None, words)

    def _counts(self, field: str) -> bool:
        """Whether a schedule field is the one in use."""
        data = self.cleaned_data
        return (
            data.get("type") == Trigger.Type.SCHEDULED and self.VALUE_FIELDS.get(data.get("schedule_type", "")) == field
        )


def _zone_choices(now: datetime, current: str | None) -> list[tuple[str, Any]]:
    """Return the zones for a select, with their offset at `now`: first those likely meant, then all by region."""
    likely = dict.fromkeys(name for name in (settings.TIME_ZONE, current, "UTC") if name in schedules.zone_names())
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(schedules.zone_names()):
        region = name.partition("/")[0] if "/" in name else "Other"
        regions.setdefault(region, []).append((name, _zone_label(name, now)))
    other = regions.pop("Other", [])
    return [
        ("Likely", [(name, _zone_label(name, now)) for name in likely]),
        *regions.items(),
        ("Other", other),
    ]


def _zone_label(name: str, now: datetime) -> str:
    return f"{name} ({offset_in_words(now.astimezone(schedules.zone(name)))})"


def _two_digits(text: str) -> str:
    """Return "8:05" and "08:05:00" as "08:05", anything else as it is."""
    hours, _, rest = text.partition(":")
    minutes = rest.removesuffix(":00") if rest.count(":") == 1 else rest
    return f"{hours.zfill(2)}:{minutes}" if minutes and hours else text


class SetupForm(forms.Form):
    """The first account, and whether to begin with examples."""

    username = forms.CharField(
        max_length=150,
        help_text="You sign in with it.",
        error_messages={"required": "Choose a name to sign in with."},
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    email = forms.EmailField(
        max_length=254,
        error_messages={"required": "Fill in your address."},
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
    )
    password = forms.CharField(
        strip=False,
        max_length=4096,
        help_text=PASSWORD_RULES,
        error_messages={"required": "Choose a password."},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}, render_value=False),
    )
    with_examples = forms.BooleanField(label="Add three example triggers", required=False, initial=True)

    def clean_username(self) -> str:
        username: str = User.normalize_username(self.cleaned_data["username"])
        User._meta.get_field("username").run_validators(username)
        return username

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "password" in cleaned:
            person = User(username=cleaned.get("username", ""), email=cleaned.get("email", ""))
            try:
                password_validation.validate_password(cleaned["password"], person)
            except ValidationError as error:
                self.add_error("password", error)
        return cleaned


class SignInForm(AuthenticationForm):
    """Name and password, and for how long."""

    error_messages = {
        "invalid_login": "The username or the password is wrong. Both mind capitals.",
        "inactive": "This account is switched off. Ask whoever runs this server.",
    }
    keep = forms.BooleanField(label="Keep me signed in for 14 days", required=False, initial=True)


class NewPasswordForm(PasswordChangeForm):
    """The old password, and the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password1"].help_text = PASSWORD_RULES
        self.fields["new_password2"].label = "New password, once more"
        self.fields["new_password2"].help_text = ""
