"""The form of a test receiver."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from dashboard.models import Sink


class SinkForm(forms.Form):
    """What a test receiver answers; its fields are those of `models.Sink`."""

    _WRONG = ("required", "invalid", "min_value", "max_value")

    status = forms.IntegerField(
        label=_("Status"),
        min_value=Sink.LEAST_STATUS,
        max_value=Sink.MOST_STATUS,
        help_text=_("200 to 599"),
        error_messages=dict.fromkeys(_WRONG, _("Use a status from 200 to 599.")),
    )
    delay_seconds = forms.FloatField(
        label=_("Delay"),
        min_value=0,
        max_value=Sink.LONGEST_DELAY,
        help_text=_("0 to 30 seconds"),
        error_messages=dict.fromkeys(_WRONG, _("Use 0 to 30 seconds.")),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    retry_after_seconds = forms.IntegerField(
        label="Retry-After",
        min_value=0,
        max_value=Sink.LONGEST_RETRY_AFTER,
        required=False,
        help_text=_("Seconds, sent as a header."),
        error_messages=dict.fromkeys(_WRONG, _("Use 0 to 86400 seconds, or leave it empty.")),
    )
    body = forms.CharField(
        label=_("Body"),
        max_length=Sink.LONGEST_BODY,
        required=False,
        strip=False,
        help_text=_("Sent as JSON where it is JSON, else as plain text."),
        error_messages={"max_length": _("Use at most 4096 characters.")},
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
    )
