"""The form of a replay of many events."""

from __future__ import annotations

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dashboard.templatetags.figures import number
from triggers.models import MOST_A_MINUTE
from triggers.replays import How


def _at_most() -> str:
    return gettext("Use a number up to %(most)s.") % {"most": number(MOST_A_MINUTE)}


class ReplayForm(forms.Form):
    """How many events are to be fired again."""

    endpoint = forms.ChoiceField(
        choices=(("today", _("Today’s endpoint and headers")), ("then", _("Exactly as it was to be sent then"))),
        initial="today",
        widget=forms.RadioSelect,
        label=_("Where to"),
        error_messages={"required": _("Choose where to.")},
    )
    skip_superseded = forms.BooleanField(
        label=_("Leave out an event if a later one of its trigger has succeeded"), required=False, initial=True
    )
    rate_per_minute = forms.IntegerField(
        label=_("Events per minute"),
        min_value=1,
        max_value=MOST_A_MINUTE,
        initial=60,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            "required": _("Say how many per minute."),
            "invalid": _("Use a whole number."),
            "min_value": _("Use a number from 1 on."),
            "max_value": lazy(_at_most, str)(),
        },
    )

    def how(self) -> How:
        """Return what was chosen; of what was not, or cannot be read, what is usual."""
        given = {name: field.initial for name, field in self.fields.items()}
        if self.is_bound:
            self.full_clean()
            given |= self.cleaned_data
        return How(given["endpoint"] == "today", bool(given["skip_superseded"]), given["rate_per_minute"])
