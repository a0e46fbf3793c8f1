"""The form of a new API key: what it is for, what it may do, which triggers it reaches, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dashboard.permissions import SCOPES, Permission
from triggers.models import LARGEST_ID, Trigger

LONGEST_NAME = 120
MOST_SHOWN = 100  # triggers to choose from at once
MOST_CHOSEN = 1000

SCOPES_IN_WORDS = {
    Permission.READ: _("See triggers, events and figures."),
    Permission.FIRE: _("Fire and test triggers, replay events."),
    Permission.WRITE: _("Create, change and delete triggers."),
    Permission.METRICS: _("Read the metrics of the server, for Prometheus."),
}
OLD_KEY_LASTS = {
    "0": (timedelta(), _("Stop at once")),
    "1": (timedelta(hours=1), _("Work for 1 hour more")),
    "24": (timedelta(hours=24), _("Work for 24 hours more")),
    "168": (timedelta(days=7), _("Work for 7 days more")),
}


class ApiKeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        label=_("Name"),
        max_length=LONGEST_NAME,
        help_text=_("The program that will use it, for example: shop-backend"),
        error_messages={"required": _("Say what it is for.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=[(scope.value, scope.value) for scope in SCOPES],
        error_messages={"required": _("Choose at least one: a key without any could do nothing.")},
        widget=forms.CheckboxSelectMultiple,
    )
    reach = forms.ChoiceField(
        label=_("Which triggers"),
        choices=[("all", _("All, and those to come")), ("chosen", _("Only these"))],
        initial="all",
        error_messages={"required": _("Choose which triggers it reaches.")},
        widget=forms.RadioSelect,
    )
    expires = forms.ChoiceField(
        label=_("Expires"),
        choices=[
            ("7", _("In 7 days")),
            ("30", _("In 30 days")),
            ("90", _("In 90 days")),
            ("365", _("In one year")),
            ("never", _("Never")),
        ],
        initial="90",
    )

    @property
    def chosen(self) -> list[Trigger]:
        """The triggers that are ticked, by name, whether the form is valid or not."""
        source: Any = self.data if self.is_bound else self.initial
        given = source.getlist("triggers") if hasattr(source, "getlist") else source.get("triggers", [])
        ids = [int(part) for part in given[:MOST_CHOSEN] if part.isascii() and part.isdigit() and len(part) < 20]
        return list(Trigger.objects.filter(pk__in=[pk for pk in ids if pk <= LARGEST_ID]).order_by("name", "pk"))

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise ValidationError(gettext("Use printable characters only."))
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("reach") == "chosen" and not self.chosen:
            self.add_error("reach", gettext("Choose at least one trigger, or let it reach all."))
        return cleaned

    def fields_of_key(self, now: datetime) -> dict[str, Any]:
        """Return what ApiKey.create() is to be given."""
        days = self.cleaned_data["expires"]
        return {
            "name": self.cleaned_data["name"],
            "scopes": [Permission(scope) for scope in self.cleaned_data["scopes"]],
            "triggers": self.chosen if self.cleaned_data["reach"] == "chosen" else None,
            "expires_at": None if days == "never" else now + timedelta(days=int(days)),
        }


class RotateForm(forms.Form):
    """How long the old key works on."""

    old_key = forms.ChoiceField(
        label=_("The old key is to"),
        choices=[(name, words) for name, (_lasts, words) in OLD_KEY_LASTS.items()],
        initial="24",
        error_messages={"required": _("Choose how long the old key works.")},
        widget=forms.RadioSelect,
    )

    def old_lasts(self) -> timedelta:
        return OLD_KEY_LASTS[self.cleaned_data["old_key"]][0]
