"""The form of a trigger: when it fires, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.text import format_lazy
from django.utils.translation import gettext, gettext_noop, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from dashboard.forms.delivery import DeliveryForm, in_figures, shown_of_delivery
from dashboard.forms.zones import ZoneSelect, zone_choices
from triggers import schedules
from triggers.models import LONGEST_SPREAD, MOST_FIRES, Trigger
from triggers.schedules.words import DAY_NAMES

ALWAYS = "true"
ONCE = "false"
LONGEST_NAME = 120
EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
UNITS = ((1, _("seconds")), (60, _("minutes")), (3600, _("hours")), (86_400, _("days")))


class TriggerForm(DeliveryForm):
    """A trigger as a person describes it. `fields_of_trigger` says the same in the words of `triggers.definition`.

    Every field is always there; which of them count follows from the type and the kind of schedule (`counting`), so
    that the page works without JavaScript. What does not count is never wrong, and leaves a trigger of the same kind
    as it is. The rules are the engine's own, read field by field so that all errors show at once; what only the
    definition sees comes back through `blame`.
    """

    # The fields that carry the schedule's value, by kind; the first is to blame for it.
    VALUE_FIELDS: Mapping[str, tuple[str, ...]] = {
        Trigger.ScheduleType.FIXED_TIME: ("at",),
        Trigger.ScheduleType.FIXED_INTERVAL: ("every", "unit"),
        Trigger.ScheduleType.CRON: ("cron",),
        Trigger.ScheduleType.DATE: ("on_date", "on_time"),
    }
    # All that is about when. Their errors come and go with the preview, while one types.
    WHEN = (
        *("schedule_type", "at", "weekdays", "every", "unit", "starting", "cron", "on_date", "on_time"),
        *("is_recurring", "time_zone"),
        *("missed_policy", "overlap_policy", "not_before", "not_after", "max_fires", "spread_seconds"),
    )
    field_order = ("name", "type", *WHEN)
    ADVANCED = ("missed_policy", "overlap_policy", "not_before", "not_after", "max_fires", "spread_seconds")

    name = forms.CharField(
        label=_("Name"),
        max_length=LONGEST_NAME,
        required=False,
        help_text=_("Left empty, it is named after its schedule."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    type = forms.ChoiceField(
        label=_("What starts it"),
        choices=Trigger.Type.choices,
        initial=Trigger.Type.SCHEDULED,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what starts it.")},
    )
    schedule_type = forms.ChoiceField(
        label=_("Kind of schedule"),
        choices=Trigger.ScheduleType.choices,
        initial=Trigger.ScheduleType.FIXED_TIME,
        required=False,
        widget=forms.RadioSelect,
    )
    at = forms.CharField(
        label=pgettext_lazy("of day", "Time"),
        required=False,
        help_text=_("24-hour clock"),
        widget=forms.TextInput(attrs={"placeholder": "08:00", "maxlength": 5, "autocomplete": "off"}),
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Days"),
        choices=[(number, name) for number, name in enumerate(DAY_NAMES, 1)],
        coerce=int,
        initial=EVERY_DAY,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    every = forms.CharField(
        label=pgettext_lazy("interval", "Every"),
        max_length=40,
        required=False,
        help_text=_("A number, or a length such as 1 h 30 min. Counted from the start, so it does not drift."),
        widget=forms.TextInput(attrs={"placeholder": "30", "autocomplete": "off"}),
    )
    unit = forms.TypedChoiceField(
        label=_("Unit of time"),
        choices=UNITS,
        coerce=int,
        initial=60,
        empty_value=1,  # type: ignore[arg-type]  # the stubs know text only
        required=False,
        widget=forms.Select(attrs={"aria-label": _("Unit of time")}),
    )
    starting = forms.CharField(
        label=_("Starting"), required=False, widget=forms.TextInput(attrs={"type": "datetime-local"})
    )
    cron = forms.CharField(
        label=_("Cron expression"),
        required=False,
        widget=forms.TextInput(
            attrs={"placeholder": "30 2 * * *", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        ),
    )
    on_date = forms.CharField(label=_("Date"), required=False, widget=forms.TextInput(attrs={"type": "date"}))
    on_time = forms.CharField(
        label=pgettext_lazy("of day", "Time"), required=False, widget=forms.TextInput(attrs={"type": "time"})
    )
    is_recurring = forms.TypedChoiceField(
        label=_("Repeat"),
        choices=((ALWAYS, _("Recurring")), (ONCE, _("One time, then switch off"))),
        coerce=lambda value: value == ALWAYS,
        initial=ALWAYS,
        empty_value=True,  # type: ignore[arg-type]  # the stubs know text only
        required=False,
        widget=forms.RadioSelect,
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        widget=ZoneSelect,
        error_messages={"invalid_choice": _("Choose a time zone from the list.")},
    )
    missed_policy = forms.ChoiceField(
        label=_("If a fire was missed"),
        choices=Trigger.MissedPolicy.choices,
        initial=Trigger.MissedPolicy.RUN_ONCE,
        required=False,
        help_text=_("When the server was down for longer than 60 s."),
    )
    overlap_policy = forms.ChoiceField(
        label=_("If the last one is still going"),
        choices=Trigger.OverlapPolicy.choices,
        initial=Trigger.OverlapPolicy.ALLOW,
        required=False,
        help_text=_("A fire that is skipped is recorded as skipped."),
    )
    not_before = forms.CharField(
        label=_("First fire not before"), required=False, widget=forms.TextInput(attrs={"type": "datetime-local"})
    )
    not_after = forms.CharField(
        label=_("Last fire not after"), required=False, widget=forms.TextInput(attrs={"type": "datetime-local"})
    )
    max_fires = forms.IntegerField(
        label=_("At most"),
        min_value=1,
        max_value=MOST_FIRES,
        required=False,
        error_messages=dict.fromkeys(("invalid", "min_value"), _("Use a whole number from 1, or leave it empty."))
        | {
            "max_value": format_lazy(
                _("Use at most {most}, or leave it empty."), most=in_figures(MOST_FIRES, force_grouping=True)
            )
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    spread_seconds = forms.IntegerField(
        label=_("Spread over"),
        min_value=0,
        max_value=LONGEST_SPREAD,
        required=False,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"),
            format_lazy(
                _("Use whole seconds, from 0 to {most}."), most=in_figures(LONGEST_SPREAD, force_grouping=True)
            ),
        ),
        help_text=_(
            "Delays every fire of this trigger by the same share of so many seconds, so that many triggers of :00 "
            "do not hit one host in one second."
        ),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "placeholder": "0"}),
    )
    is_test = forms.BooleanField(label=_("All its events are tests"), required=False)
    enabled = forms.BooleanField(label=_("On after saving"), required=False, initial=True)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        trigger: Trigger | None = None,
        copy_of: Trigger | None = None,
        initial: Mapping[str, Any] | None = None,
        now: datetime,
    ) -> None:
        """`trigger` is the one to edit; None: it will be a new one, which `copy_of` describes but for its secrets."""
        if copy_of:
            initial = _shown_copy(copy_of)
        super().__init__(data, initial=_shown(trigger) if trigger else initial)  # type: ignore[arg-type]
        self.trigger, self.copy_of, self.now = trigger, copy_of, now
        self.prepare_delivery()
        zones = cast(forms.ChoiceField, self.fields["time_zone"])
        zones.initial = timezone.get_current_timezone_name()
        zones.choices = zone_choices(
            now, settings.TIME_ZONE, timezone.get_current_timezone_name(), self.initial.get("time_zone")
        )
        for name in (*self.WHEN, *self.OF_DELIVERY):
            # Always, not only while something is wrong: the words come while one types.
            field, said_at = self.fields[name], [f"id_{name}_error"]
            said_at += [f"id_{name}_helptext"] if field.help_text else []
            field.widget.attrs["aria-describedby"] = " ".join(said_at)

    # --- Reading what was sent ------------------------------------------------------------------------

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"] or settings.TIME_ZONE
        if name not in schedules.zone_names():
            words = gettext("This server does not know %(zone)s. Choose a time zone from the list.")
            raise ValidationError(words % {"zone": name})
        return name

    def clean(self) -> dict[str, Any]:
        """Read what counts of the schedule; `schedule_value`, `not_before` and `not_after` are then the engine's."""
        cleaned = super().clean() or self.cleaned_data
        for name in {*self.WHEN} - self.counting:
            self.errors.pop(name, None)
        if self._is_scheduled and not self._kind and "schedule_type" not in self.errors:
            self.add_error("schedule_type", gettext("Choose a kind of schedule."))
        if "weekdays" in self.counting and not cleaned.get("weekdays") and "weekdays" not in self.errors:
            self.add_error("weekdays", gettext("Choose at least one day."))
        if self._kind:
            cleaned["schedule_value"] = self._value()
        begin = "starting" if "starting" in self.counting else "not_before"
        cleaned["not_before"] = self._instant(begin, "not_before")
        cleaned["not_after"] = self._instant("not_after", "not_after")
        self.clean_delivery()
        return cleaned

    @property
    def counting(self) -> set[str]:
        """Those of WHEN that count, by the choices made; the stylesheet shows the same."""
        if not self._is_scheduled:
            return set()
        names = {"schedule_type", "time_zone", "spread_seconds", *self.VALUE_FIELDS.get(self._kind, ())}
        if self._kind != Trigger.ScheduleType.DATE:
            is_interval = self._kind == Trigger.ScheduleType.FIXED_INTERVAL
            names |= {"is_recurring", "not_after", "starting" if is_interval else "not_before"}
        if self._is_recurring:
            names |= {"missed_policy", "overlap_policy", "max_fires"}
            names |= {"weekdays"} if self._kind == Trigger.ScheduleType.FIXED_TIME else set()
        return names

    @property
    def _is_scheduled(self) -> bool:
        return bool(self.cleaned_data.get("type") == Trigger.Type.SCHEDULED)

    @property
    def _kind(self) -> str:
        return self.cleaned_data.get("schedule_type", "") if self._is_scheduled else ""

    @property
    def _is_recurring(self) -> bool:
        return self._kind != Trigger.ScheduleType.DATE and self.cleaned_data.get("is_recurring", True)

    @property
    def _zone(self) -> str:
        return self.cleaned_data.get("time_zone") or "UTC"  # in error: all else is still read

    def _value(self) -> str:
        """Return the schedule's value as the engine stores it, or "" with an error at its field."""
        field, *_ = fields = self.VALUE_FIELDS[self._kind]
        if self._kind == Trigger.ScheduleType.DATE:
            empty = [name for name in fields if not self.cleaned_data.get(name)]
            for name in empty:
                self.add_error(name, gettext("Choose a date.") if name == "on_date" else gettext("Choose a time."))
            if empty:
                return ""
            field = "on_time" if _is_date(self.cleaned_data["on_date"]) else "on_date"
        if {*fields} & {*self.errors}:
            return ""
        try:
            value = self._written(fields)
            schedules.read(self._kind, value, self._zone, self.now)
        except schedules.ScheduleError as error:
            self.add_error(error.field if error.field == "time_zone" else field, str(error))
            return ""
        return value

    def _written(self, fields: tuple[str, ...]) -> str:
        """Return the value that stands in the fields; one that nobody touched is the trigger's, to the letter.

        So a date with an offset, or in the second of two equal hours, survives an edit of the name.
        """
        cleaned = self.cleaned_data
        if self._kind == Trigger.ScheduleType.FIXED_INTERVAL and not self._is_untouched(*fields):
            return str(_seconds(cleaned["every"], cleaned.get("unit", 1)))
        # A date is said by the zone's clock.
        if self._is_untouched(*fields, *(["time_zone"] if self._kind == Trigger.ScheduleType.DATE else [])):
            return self.trigger.schedule_value if self.trigger else ""
        if self._kind == Trigger.ScheduleType.DATE:
            return f"{cleaned['on_date']}T{_two_digits(cleaned['on_time'])}"
        return _two_digits(cleaned["at"]) if self._kind == Trigger.ScheduleType.FIXED_TIME else cleaned["cron"]

    def _instant(self, field: str, name: str) -> datetime | None:
        """Return what a date and time means by the zone's clock; one that nobody touched is the trigger's `name`."""
        text = self.cleaned_data.get(field)
        if field not in self.counting or not text:
            return None
        if self.trigger and not {field, "time_zone"} & {*self.changed_data}:
            kept: datetime | None = getattr(self.trigger, name)
            return kept
        try:
            read = schedules.read(Trigger.ScheduleType.DATE, text, self._zone, self.now)
        except schedules.ScheduleError as error:
            self.add_error(field, str(error))
            return None
        return cast(schedules.OnDate, read).at

    def _is_untouched(self, *fields: str) -> bool:
        """Whether the trigger is of this kind, and the fields stand as the page showed them."""
        is_same = self.trigger is not None and self.trigger.schedule_type == self._kind
        return is_same and not {*fields} & {*self.changed_data}

    # --- What it says to the definition ------------------------------------------------------------------

    def fields_of_trigger(self) -> dict[str, Any]:
        """Return the cleaned fields as `triggers.definition` takes them."""
        cleaned = self.cleaned_data
        return self.fields_of_schedule() | {
            **self.fields_of_delivery(),
            "name": cleaned["name"],
            "api_endpoint": cleaned["api_endpoint"],
            "payload": cleaned["payload"],
            "is_test": cleaned["is_test"],
            "enabled": cleaned["enabled"],
        }

    def fields_of_draft(self) -> dict[str, Any]:
        """Return the same of a form whose schedule is right, whatever else is wrong with it."""
        cleaned = self.cleaned_data
        kept = self.trigger.payload if self.trigger else {}
        return self.fields_of_schedule() | {
            "api_endpoint": cleaned.get("api_endpoint", ""),
            "payload": cleaned.get("payload", kept),
            "enabled": cleaned["enabled"],
        }

    def fields_of_schedule(self) -> dict[str, Any]:
        """Return the part of them that says when."""
        cleaned, counting = self.cleaned_data, self.counting
        fields = {
            "type": cleaned["type"],
            "schedule_type": self._kind,
            "schedule_value": cleaned.get("schedule_value", ""),
            "is_recurring": self._is_recurring,
            "time_zone": self._zone if self._is_scheduled else cleaned.get("time_zone", settings.TIME_ZONE),
            "weekdays": cleaned.get("weekdays"),
            "not_before": cleaned["not_before"],
            "not_after": cleaned["not_after"],
            "max_fires": cleaned.get("max_fires"),
            "spread_seconds": cleaned.get("spread_seconds") or 0,
            "missed_policy": cleaned.get("missed_policy") or Trigger.MissedPolicy.RUN_ONCE,
            "overlap_policy": cleaned.get("overlap_policy") or Trigger.OverlapPolicy.ALLOW,
        }
        is_hidden = {*_UNLESS_COUNTING} - counting - ({"not_before"} if "starting" in counting else set())
        return fields | {name: self._kept(name) for name in is_hidden}

    def _kept(self, name: str) -> Any:
        """Return what a field that the page does not show stays at: the trigger's own, if it is of this kind."""
        of = self.trigger
        if of and (of.type, of.schedule_type, of.is_recurring) == (
            self.cleaned_data["type"],
            self._kind,
            self._is_recurring,
        ):
            return getattr(of, name)
        return _UNLESS_COUNTING[name]

    # --- What is wrong with it ----------------------------------------------------------------------------

    def blame(self, error: ValidationError) -> None:
        """Put the definition's errors at the fields that a person sees."""
        for field, words in self.at_fields(error).items():
            self.add_error(field, words)

    def at_fields(self, error: ValidationError) -> dict[str | None, list[str]]:
        """Return the definition's words by the field here that a person sees, None for those that have none."""
        found: dict[str | None, list[str]] = {}
        for name, words in error.message_dict.items():
            found.setdefault(self._shown_at(name), []).extend(words)
        return found

    def _shown_at(self, name: str) -> str | None:
        value_field = self.VALUE_FIELDS.get(self._kind, ("schedule_type",))[0]
        if name == "schedule_value":
            return value_field
        if name == "not_before" and "starting" in self.counting:
            return "starting"
        if name in self.WHEN and name not in self.counting:
            return value_field
        name = self.field_of_delivery(name)
        return name if name in self.fields else None

    @property
    def errors_about_when(self) -> dict[str, str]:
        """The first error of each field about when, by the field's label."""
        found = {name: self.errors[name][0] for name in self.WHEN if name in self.errors}
        return {str(self.fields[name].label): str(words) for name, words in found.items()}

    @property
    def is_empty_schedule(self) -> bool:
        """Whether a kind is chosen, and nothing stands in its fields yet."""
        fields = self.VALUE_FIELDS.get(self._kind, ())
        return bool(fields) and not str(self[fields[0]].value() or "").strip()

    # --- What the page shows of it -------------------------------------------------------------------------

    @property
    def when_fields(self) -> list[forms.BoundField]:
        """The fields whose errors come and go while one types."""
        return [self[name] for name in self.WHEN]

    @property
    def guide(self) -> list[schedules.FieldWords]:
        """The cron expression field by field; those that are not written yet are empty."""
        parts = str(self["cron"].value() or "").split()
        missing = max(5 - len(parts), 0) if not str(parts[:1]).startswith("['@") else 0
        guide = schedules.field_guide(" ".join([*parts, *["*"] * missing]))
        if not guide:
            return [field._replace(raw="–", words="") for field in schedules.field_guide("* * * * *")]
        return [
            *guide[: len(guide) - missing],
            *[field._replace(raw="–", words="") for field in guide[len(guide) - missing :]],
        ]

    @property
    def has_errors_in_advanced(self) -> bool:
        return self.has_errors_in_delivery or any(self[name].errors for name in self.ADVANCED)

    @property
    def has_clock_times(self) -> bool:
        """Whether a start or an end is given: then the zone matters to an interval too."""
        return bool(self["starting"].value() or self["not_after"].value())

    @property
    def advanced_in_words(self) -> str:
        """What the fields under Advanced say, whether they are shown or not: "fire once when back, …, no end"."""
        value = {
            name: str(self[name].value() or "").strip() for name in ("schedule_type", "is_recurring", *self.ADVANCED)
        }
        kind = value["schedule_type"]
        words = []
        if kind != Trigger.ScheduleType.DATE:
            is_recurring = value["is_recurring"] != ONCE
            if is_recurring:
                words += [
                    str(_MISSED_IN_WORDS.get(value["missed_policy"], "")),
                    str(_OVERLAP_IN_WORDS.get(value["overlap_policy"], "")),
                ]
            if kind != Trigger.ScheduleType.FIXED_INTERVAL and value["not_before"]:
                words += [gettext("from %(moment)s") % {"moment": _local_in_words(value["not_before"])}]
            if value["not_after"]:
                words += [gettext("until %(moment)s") % {"moment": _local_in_words(value["not_after"])}]
            elif is_recurring:
                words += [gettext("no end")]
            if is_recurring and value["max_fires"]:
                words += [_at_most(value["max_fires"])]
        if value["spread_seconds"] in ("", "0"):
            words += [gettext("no spread")]
        else:
            words += [gettext("spread over %(seconds)s s") % {"seconds": value["spread_seconds"]}]
        return ", ".join(word for word in words if word)


# What is stored where the page does not show the field.
_UNLESS_COUNTING: Mapping[str, Any] = {
    "weekdays": [],
    "not_before": None,
    "not_after": None,
    "max_fires": None,
    "missed_policy": Trigger.MissedPolicy.RUN_ONCE,
    "overlap_policy": Trigger.OverlapPolicy.ALLOW,
}
_MISSED_IN_WORDS: Mapping[str, Any] = {
    Trigger.MissedPolicy.RUN_ONCE: _("fire once when back"),
    Trigger.MissedPolicy.RUN_ALL: _("fire all when back"),
    Trigger.MissedPolicy.SKIP: _("skip what was missed"),
}
_OVERLAP_IN_WORDS: Mapping[str, Any] = {
    Trigger.OverlapPolicy.ALLOW: _("overlaps allowed"),
    Trigger.OverlapPolicy.SKIP: _("skip overlaps"),
}


def _shown(trigger: Trigger) -> dict[str, Any]:
    """Return what the form shows for a trigger; instants by the clock of its zone."""
    shown: dict[str, Any] = {
        "name": trigger.name,
        "type": trigger.type,
        "schedule_type": trigger.schedule_type or Trigger.ScheduleType.FIXED_TIME,
        "weekdays": trigger.weekdays or EVERY_DAY,
        "is_recurring": ALWAYS if trigger.is_recurring else ONCE,
        "time_zone": trigger.time_zone,
        "starting": _local(trigger.not_before, trigger),
        "not_before": _local(trigger.not_before, trigger),
        "not_after": _local(trigger.not_after, trigger),
        "max_fires": trigger.max_fires,
        "spread_seconds": trigger.spread_seconds or None,
        "missed_policy": trigger.missed_policy,
        "overlap_policy": trigger.overlap_policy,
        "is_test": trigger.is_test,
        "enabled": trigger.enabled,
        **shown_of_delivery(trigger),
    }
    value = trigger.schedule_value
    if trigger.schedule_type == Trigger.ScheduleType.FIXED_TIME:
        shown["at"] = value
    elif trigger.schedule_type == Trigger.ScheduleType.CRON:
        shown["cron"] = value
    elif trigger.schedule_type == Trigger.ScheduleType.FIXED_INTERVAL and value.isdecimal() and int(value):
        shown["unit"] = max(size for size, __ in UNITS if int(value) % size == 0)
        shown["every"] = str(int(value) // shown["unit"])
    elif trigger.schedule_type == Trigger.ScheduleType.DATE:
        shown["on_date"], __, shown["on_time"] = _local_date(trigger).partition("T")
    return shown


def _shown_copy(trigger: Trigger) -> dict[str, Any]:
    """Return what the form shows for a new trigger like this one: secret values are to be given again."""
    shown = _shown(trigger)
    name = _("Copy of %(name)s") % {"name": trigger.name}
    headers = [row._replace(kept="") for row in shown["headers"]]
    return shown | {"name": name[:LONGEST_NAME], "headers": headers}


def _local(instant: datetime | None, trigger: Trigger) -> str:
    """Return an instant as a field for date and time shows it; in UTC where the trigger's zone is not known here."""
    if instant is None:
        return ""
    name = trigger.time_zone if trigger.time_zone in schedules.zone_names() else "UTC"
    local = instant.astimezone(schedules.zone(name))
    return f"{local:%Y-%m-%dT%H:%M:%S}" if local.second else f"{local:%Y-%m-%dT%H:%M}"


def _local_date(trigger: Trigger) -> str:
    try:
        schedule = schedules.timetable_of(trigger).schedule
    except schedules.ScheduleError:
        return trigger.schedule_value[:16]
    return _local(cast(schedules.OnDate, schedule).at, trigger)


def _local_in_words(text: str) -> str:
    """Return "2 Apr 2026, 22:00" of what stands in a field for date and time."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return text
    # Translators: a day as Django's date filter takes it: "2 Apr 2026".
    return gettext("%(day)s, %(time)s") % {"day": date_format(local, gettext("j M Y")), "time": f"{local:%H:%M}"}


def _at_most(text: str) -> str:
    """Return "at most 1,000 fires" of what stands in the field."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return gettext("at most %(count)s fires") % {"count": text}
    words = ngettext("at most %(count)s fire", "at most %(count)s fires", int(text))
    return words % {"count": number_format(int(text), force_grouping=True)}


def _is_date(text: str) -> bool:
    try:
        return 1970 <= date.fromisoformat(text).year <= 8999
    except ValueError:
        return False


_OUT_OF_BOUNDS: Mapping[int, str] = {
    1: gettext_noop("Use 1 to %(most)s seconds, or a length such as 1 h 30 min."),
    60: gettext_noop("Use 1 to %(most)s minutes, or a length such as 1 h 30 min."),
    3600: gettext_noop("Use 1 to %(most)s hours, or a length such as 1 h 30 min."),
    86_400: gettext_noop("Use 1 to %(most)s days, or a length such as 1 h 30 min."),
}


def _seconds(text: str, unit: int) -> int:
    """Return the seconds of "30" in the unit chosen, or of a length with its own units. Raises ScheduleError."""
    if not (text.isascii() and text.isdigit()):
        return schedules.seconds_of(text)
    longest = schedules.LONGEST_INTERVAL // unit
    if not 1 <= int(text) <= longest:
        words = gettext(_OUT_OF_BOUNDS[unit]) % {"most": number_format(longest, force_grouping=True)}
        raise schedules.ScheduleError("schedule_value", words)
    return int(text) * unit


def _two_digits(text: str) -> str:
    """Return "8:05" and "08:05:00" as "08:05", anything else as it is."""
    hours, __, rest = text.partition(":")
    minutes = rest.removesuffix(":00") if rest.count(":") == 1 else rest
    return f"{hours.zfill(2)}:{minutes}" if minutes and hours else text
