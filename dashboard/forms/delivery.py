"""The part of a trigger's form that says where its events are delivered, and how."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from dashboard.forms.headers import EMPTY_ROWS, HeadersField, Row, shown_headers
from triggers import backoff, definition, outbound, payloads, vault
from triggers.models import Recipe, Trigger
from triggers.models.recipes import LONGEST_TIMEOUT, MOST_A_MINUTE, MOST_AT_ONCE

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

OWN, KEPT, PATIENT = "own", "kept", "patient"
_PRESETS = (
    ("none", pgettext_lazy("retries", "None")),
    ("quick", _("Quick, 3 within half a minute")),
    (PATIENT, _("Patient, 6 within two hours")),
    (OWN, pgettext_lazy("retries", "Own…")),
)
_NO_CODE = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
in_figures = lazy(number_format, str)  # a number that is written when its page is: 60,000 or 60.000


def _number(
    label: StrOrPromise, least: int, most: int, *, hint: StrOrPromise = "", placeholder: StrOrPromise = ""
) -> forms.IntegerField:
    """Return an optional field for a whole number."""
    words = format_lazy(
        _("Use a whole number from {least} to {most}, or leave it empty."),
        least=in_figures(least, force_grouping=True),
        most=in_figures(most, force_grouping=True),
    )
    return forms.IntegerField(
        label=label,
        min_value=least,
        max_value=most,
        required=False,
        help_text=hint,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), words),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "placeholder": placeholder}),
    )


def _decimal(label: StrOrPromise, placeholder: StrOrPromise = "", hint: StrOrPromise = "") -> forms.FloatField:
    """Return an optional field for a number; its bounds are the engine's."""
    return forms.FloatField(
        label=label,
        required=False,
        help_text=hint,
        error_messages={"invalid": _("Use a number.")},
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": placeholder}),
    )


def _line(
    label: StrOrPromise, placeholder: StrOrPromise = "", hint: StrOrPromise = "", most: int = 200
) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=most,
        help_text=hint,
        widget=forms.TextInput(attrs={"placeholder": placeholder, **_NO_CODE}),
    )


class DeliveryForm(forms.Form):
    """Where and how, in the words of a person. `fields_of_delivery` says the same in those of `triggers.definition`.

    Without an endpoint only the payload counts, and the rest of a trigger stays as it is.
    """

    # All that counts only where there is an endpoint.
    OF_DELIVERY = (
        *("method", "headers", "body_template", "timeout_seconds"),
        *("retries", "retry_count", "retry_first", "retry_factor", "retry_longest", "retry_statuses"),
        *("retries_silence", "success_statuses", "success_json_path", "success_json_equals", "success_contains"),
        *("success_longest_seconds", "most_at_once", "rate_per_minute", "switch_off_after"),
        *("skips_tls_check", "client_certificate", "client_key"),
    )
    # Those of them that stand under Advanced.
    HOW = OF_DELIVERY[3:]
    _OWN = ("retry_count", "retry_first", "retry_factor", "retry_longest")
    _OF_OWN_RETRIES: Mapping[str, str] = {
        "count": "retry_count",
        "first_seconds": "retry_first",
        "factor": "retry_factor",
        "longest_seconds": "retry_longest",
        "delays": "retries",
        "statuses": "retry_statuses",
    }

    method = forms.ChoiceField(
        label=_("Method"),
        choices=[(method, method) for method in Recipe.Method.values],
        required=False,
        initial=Recipe.Method.POST,
    )
    api_endpoint = forms.CharField(
        label=_("Endpoint"),
        max_length=2000,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "url", "placeholder": "https://", **_NO_CODE}),
    )
    headers = HeadersField(label=_("Headers"), required=False)
    payload = forms.CharField(
        label=_("Payload"),
        required=False,
        strip=False,
        initial="{\n  \n}",
        help_text=_("A JSON object, sent as it stands. At most 256 KiB."),
        widget=forms.Textarea(attrs={"rows": 7, **_NO_CODE}),
    )
    body_template = forms.CharField(
        label=_("Body template"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, **_NO_CODE}),
    )
    timeout_seconds = _number(
        _("Timeout"), 1, LONGEST_TIMEOUT, hint=_("From the look-up of the name to the last byte.")
    )
    retries = forms.ChoiceField(label=_("Retries"), choices=_PRESETS, required=False, initial=PATIENT)
    retry_count = forms.IntegerField(
        label=_("How many"),
        required=False,
        error_messages={"invalid": _("Use a whole number.")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "placeholder": "5"}),
    )
    retry_first = _decimal(_("First after"), "10")
    retry_factor = _decimal(_("Then each time"), "2")
    retry_longest = _decimal(_("At longest"), "3600")
    retry_statuses = _line(_("Which answers"), _("Every failure"), _("Such as 5xx, 429. A 410 never is."))
    retries_silence = forms.TypedChoiceField(
        label=_("If no answer comes"),
        choices=(("true", _("Retry")), ("false", _("Do not retry"))),
        coerce=lambda value: value == "true",
        initial="true",
        empty_value=True,  # type: ignore[arg-type]  # the stubs know text only
        required=False,
    )
    success_statuses = _line(_("Statuses"), "2xx", _("Such as 2xx, 304 or 200-299."))
    success_json_path = _line(_("JSON path"), "$.status")
    success_json_equals = _line(_("Equals"), '"ok"', most=1000)
    success_contains = _line(_("Body contains"), most=1000)
    success_longest_seconds = _decimal(_("Longest time"))
    most_at_once = _number(
        _("At once"),
        1,
        MOST_AT_ONCE,
        hint=_("Of this trigger alone, over all its workers."),
        placeholder=_("No limit"),
    )
    rate_per_minute = _number(
        _("Each minute"), 1, MOST_A_MINUTE, hint=_("What is more waits."), placeholder=_("No limit")
    )
    switch_off_after = _number(
        _("Switch off after"), 1, 1000, hint=_("Failed for good, one after another."), placeholder=_("Never")
    )
    skips_tls_check = forms.BooleanField(label=_("Do not check the certificate"), required=False)
    client_certificate = forms.CharField(
        label=_("Client certificate"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "-----BEGIN CERTIFICATE-----", **_NO_CODE}),
    )
    client_key = forms.CharField(
        label=_("Its key"),
        required=False,
        help_text=_("PEM, without a password. Encrypted when saved, and never shown again."),
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "-----BEGIN PRIVATE KEY-----", **_NO_CODE}),
    )

    trigger: Trigger | None
    copy_of: Trigger | None

    def prepare_delivery(self) -> None:
        """Fit the fields to the trigger; its form calls this once `trigger` is set."""
        self.fields["timeout_seconds"].widget.attrs["placeholder"] = str(settings.DELIVERY_TIMEOUT_SECONDS)
        if self.recipe and self.recipe.client_key:
            replace = gettext("Replace key")
            self.fields["client_key"].widget.attrs["placeholder"] = f"{vault.MASK}  {replace}"
        if self.initial.get("retries") == KEPT:
            kept = gettext("As they are, %(count)s") % {"count": len(self._kept_delays)}
            choices = ((KEPT, kept), *_PRESETS)
            cast(forms.ChoiceField, self.fields["retries"]).choices = choices

    @property
    def recipe(self) -> Recipe | None:
        return self.trigger.recipe if self.trigger else None

    @property
    def _kept_delays(self) -> list[float]:
        """The delays of the trigger, or of the one that this will be a copy of."""
        like = self.trigger or self.copy_of
        return list(like.recipe.retry_delays) if like and like.recipe else []

    @property
    def needs_secrets(self) -> bool:
        """Whether secrets of the trigger that this is a copy of are to be given again."""
        recipe = self.copy_of.recipe if self.copy_of else None
        return recipe is not None and (bool(recipe.client_key) or any(is_secret for *__, is_secret in recipe.headers))

    @property
    def has_endpoint(self) -> bool:
        return bool(str(self["api_endpoint"].value() or "").strip())

    # --- Reading what was sent ------------------------------------------------------------------------

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

    def clean_headers(self) -> list[list[Any]]:
        """Return the triples; a value can only be kept of a header that is stored with one."""
        triples: list[list[Any]] = self.cleaned_data["headers"]
        stored = {name.lower() for name, __, is_secret in (self.recipe.headers if self.recipe else ()) if is_secret}
        for name, value, __ in triples:
            if value == vault.MASK and name.lower() not in stored:
                words = gettext("There is no stored value of “%(name)s” any more. Fill it in again.")
                raise ValidationError(words % {"name": name})
        return triples

    def clean_success_json_equals(self) -> Any:
        """Return the JSON value; plain words are text."""
        text: str = self.cleaned_data["success_json_equals"].strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            if text[0].isalpha():
                return text
            raise ValidationError(gettext("Use a JSON value: text in quotes, a number, true, false or null.")) from None

    def clean_delivery(self) -> None:
        """Read what counts, and ask the engine about it, so that all errors show at once."""
        if not self.has_endpoint:
            for name in self.OF_DELIVERY:
                self.errors.pop(name, None)
            return
        if self.cleaned_data.get("retries") != OWN:
            for name in self._OWN:
                self.errors.pop(name, None)
        for name, words in definition.errors_of_delivery(self.fields_of_delivery(), self.trigger).items():
            field = self.field_of_delivery(name)
            if field not in self.errors:
                self.add_error(field, words)

    def fields_of_delivery(self) -> dict[str, Any]:
        """Return those that count and are right, as `triggers.definition` takes them."""
        if not self.has_endpoint:
            return {}
        cleaned, named = self.cleaned_data, {**self.cleaned_data}
        named["method"] = cleaned.get("method") or Recipe.Method.POST
        named["success_statuses"] = cleaned.get("success_statuses") or "2xx"
        named["verify_tls"] = not cleaned.get("skips_tls_check")
        named["client_key"] = self._client_key()
        delays = self._retry_delays()
        if delays is not None:
            named["retry_delays"] = delays
        return {
            name: value
            for name, value in named.items()
            if name in definition.OF_THE_RECIPE and self.field_of_delivery(name) not in self.errors
        }

    def _client_key(self) -> str:
        """Return the key, the mask when the stored one stays, "" when there is no certificate it could belong to."""
        given: str = self.cleaned_data.get("client_key", "")
        if given or not self.cleaned_data.get("client_certificate"):
            return given
        return vault.MASK if self.recipe and self.recipe.client_key else ""

    def _retry_delays(self) -> list[float] | None:
        """Return the delays that are chosen; None: those of the trigger stay, or an error is at the field to blame."""
        chosen = self.cleaned_data.get("retries") or PATIENT
        if chosen == KEPT:
            return self._kept_delays or None
        if {*self._OF_OWN_RETRIES.values()} & {*self.errors}:
            return None
        try:
            return list(_delays_of(chosen, [self.cleaned_data.get(name) for name in self._OWN]))
        except backoff.RetriesError as error:
            self.add_error(self._OF_OWN_RETRIES[error.field], str(error))
            return None

    def field_of_delivery(self, name: str) -> str:
        """Return the field here that says what the definition calls `name`."""
        if name == "retry_delays":
            return "retry_count" if self["retries"].value() == OWN else "retries"
        return {"verify_tls": "skips_tls_check"}.get(name, name)

    # --- What the page shows of it -------------------------------------------------------------------------

    @property
    def header_rows(self) -> list[Row]:
        """The rows as they stand, then a few empty ones."""
        filled = [row for row in self["headers"].value() or () if not row.is_empty or row.kept]
        return [*filled, *[Row()] * EMPTY_ROWS]

    @property
    def filled_rows(self) -> int:
        return len(self.header_rows) - EMPTY_ROWS

    @property
    def retries_in_words(self) -> str:
        """What the choice means: "3, after 1 s, 5 s and 15 s. Gives up after about 21 s."; "" while it is not valid."""
        chosen = str(self["retries"].value() or PATIENT)
        is_silence_retried = self["retries_silence"].value() in ("true", True, None, "")
        try:
            if chosen == KEPT:
                delays = tuple(self._kept_delays)
            else:
                delays = _delays_of(chosen, [_as_number(self[name].value()) for name in self._OWN])
            statuses = str(self["retry_statuses"].value() or "").strip()
            retries = backoff.Retries(delays, statuses, is_silence_retried)
            backoff.check(retries)
            return f"{backoff.in_words(retries)}."
        except (ValueError, TypeError):  # half a retry
            return ""

    @property
    def delivery_in_words(self) -> str:
        """The values in use under Advanced: "10 s timeout, 6 retries, certificate not checked"."""
        timeout = str(self["timeout_seconds"].value() or "").strip() or settings.DELIVERY_TIMEOUT_SECONDS
        chosen = str(self["retries"].value() or PATIENT)
        if chosen == OWN:
            count = str(self["retry_count"].value() or "").strip() or "?"
        elif chosen == KEPT:
            count = str(len(self._kept_delays))
        else:
            count = str(len(backoff.PRESETS.get(chosen, backoff.PATIENT).delays))
        words = [gettext("%(seconds)s s timeout") % {"seconds": timeout}]
        if count == "0":
            words.append(gettext("no retries"))
        else:
            number = int(count) if count.isascii() and count.isdigit() and len(count) < 10 else 2
            words.append(ngettext("%(count)s retry", "%(count)s retries", number) % {"count": count})
        if self["skips_tls_check"].value():
            words.append(gettext("certificate not checked"))
        return ", ".join(words)

    @property
    def has_errors_in_delivery(self) -> bool:
        """Whether one of those under Advanced is wrong."""
        return any(self[name].errors for name in self.HOW)


def shown_of_delivery(trigger: Trigger) -> dict[str, Any]:
    """Return what the form shows of how a trigger delivers; no secret."""
    recipe = trigger.recipe or Recipe()
    path = recipe.success_json_path
    return {
        "method": recipe.method,
        "api_endpoint": trigger.api_endpoint,
        "headers": shown_headers(recipe.headers),
        "payload": json.dumps(trigger.payload, indent=2, ensure_ascii=False),
        "body_template": recipe.body_template,
        "timeout_seconds": recipe.timeout_seconds,
        **_shown_of_retries(recipe.retry_delays),
        "retry_statuses": recipe.retry_statuses,
        "retries_silence": "true" if recipe.retries_silence else "false",
        "success_statuses": recipe.success_statuses,
        "success_json_path": path,
        "success_json_equals": json.dumps(recipe.success_json_equals, ensure_ascii=False) if path else "",
        "success_contains": recipe.success_contains,
        "success_longest_seconds": _plain(recipe.success_longest_seconds),
        "most_at_once": recipe.most_at_once,
        "rate_per_minute": recipe.rate_per_minute,
        "switch_off_after": recipe.switch_off_after,
        "skips_tls_check": not recipe.verify_tls,
        "client_certificate": recipe.client_certificate,
    }


def _shown_of_retries(delays: Sequence[float]) -> dict[str, Any]:
    """Return the preset, or the four numbers, that make these delays; else that they stay as they are."""
    for name, preset in backoff.PRESETS.items():
        if tuple(delays) == preset.delays:
            return {"retries": name}
    first, longest = delays[0], max(delays)
    factor = round(delays[1] / first, 3) if len(delays) > 1 else 1.0
    try:
        is_grown = backoff.growing(len(delays), first, factor, longest) == tuple(delays)
    except backoff.RetriesError:
        is_grown = False
    if not is_grown:
        return {"retries": KEPT}
    return {
        "retries": OWN,
        "retry_count": len(delays),
        "retry_first": _plain(first),
        "retry_factor": _plain(factor),
        "retry_longest": _plain(longest),
    }


def _delays_of(chosen: str, own: Sequence[Any]) -> tuple[float, ...]:
    """Return the delays of a preset, or of one's own numbers. Raises RetriesError."""
    if chosen != OWN:
        return backoff.PRESETS.get(chosen, backoff.PATIENT).delays
    count, first, factor, longest = own
    first = 10.0 if first is None else first
    return backoff.growing(
        5 if count is None else count,
        first,
        2.0 if factor is None else factor,
        max(3600.0, first) if longest is None else longest,
    )


def _as_number(value: Any) -> float | int | None:
    """Return the number that stands in a field, None for an empty one. Raises ValueError."""
    text = str("" if value is None else value).strip()
    if not text:
        return None
    number = float(text)
    return int(number) if math.isfinite(number) and number.is_integer() else number


def _plain(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
