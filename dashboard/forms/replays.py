"""The form of a replay of many events."""

from __future__ import annotations

from django import forms

from triggers.models import MOST_A_MINUTE
from triggers.replays import How


class ReplayForm(forms.Form):
    """How many events are to be fired again."""

    endpoint = forms.ChoiceField(
        choices=(("today", "Today’s endpoint and headers"), ("then", "Exactly as it was to be sent then")),
        initial="today",
        widget=forms.RadioSelect,
        label="Where to",
        error_messages={"required": "Choose where to."},
    )
    skip_superseded = forms.BooleanField(
        label="Leave out an event if a later one of its trigger has succeeded", required=False, initial=True
    )
    rate_per_minute = forms.IntegerField(
        label="Events per minute",
        min_value=1,
        max_value=MOST_A_MINUTE,
        initial=60,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            "required": "Say how many per minute.",
            "invalid": "Use a whole number.",
            "min_value": "Use a number from 1 on.",
            "max_value": f"Use a number up to {MOST_A_MINUTE:,}.",
        },
    )

    def how(self) -> How:
        """Return what was chosen; of what was not, or cannot be read, what is usual."""
        given = {name: field.initial for name, field in self.fields.items()}
        if self.is_bound:
            self.full_clean()
            given |= self.cleaned_data
        return How(given["endpoint"] == "today", bool(given["skip_superseded"]), given["rate_per_minute"])
