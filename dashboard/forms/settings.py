"""The form of a person's own settings."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dashboard.forms.zones import ZoneSelect, zone_choices
from dashboard.models import User
from triggers import schedules


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none while it runs
    """What a person is called, and how pages look to them."""

    time_zone = forms.ChoiceField(
        label=_("Time zone of the pages"),
        required=False,
        widget=ZoneSelect,
        help_text=_("Every time is shown in it. A schedule keeps its own zone."),
    )
    language = forms.ChoiceField(label=_("Language"), required=False)
    has_shortcuts = forms.BooleanField(
        label=_("Single letters are keyboard shortcuts"),
        required=False,
        help_text=_("Ctrl K works either way. Press ? for the list."),
    )

    class Meta:
        model = User
        fields = ("first_name", "email", "time_zone", "language", "has_shortcuts")
        labels = {"first_name": _("Name"), "email": _("Email")}
        help_texts = {"first_name": _("What others see. Empty: the name that you sign in with.")}
        widgets = {
            "first_name": forms.TextInput(attrs={"autocomplete": "name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = cast(forms.ChoiceField, self.fields["time_zone"])
        of_server = gettext("As the server (%(zone)s)") % {"zone": settings.TIME_ZONE}
        zones.choices = [("", of_server), *zone_choices(now, settings.TIME_ZONE, self.instance.time_zone)]
        languages = cast(forms.ChoiceField, self.fields["language"])
        languages.choices = [("", gettext("As the browser")), *settings.LANGUAGES]

    def save(self, commit: bool = True) -> User:
        """Write no more than the form shows: an administrator may have changed the rest of the row meanwhile."""
        person: User = super().save(commit=False)
        if commit:
            person.save(update_fields=self.Meta.fields)
        return person

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name and name not in schedules.zone_names():
            raise ValidationError(
                gettext("This server does not know %(zone)s. Choose a time zone from the list.") % {"zone": name}
            )
        return name
