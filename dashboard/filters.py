"""How lists are narrowed by their URL."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q

from triggers.models import Trigger, TriggerQuerySet


class TriggerFilter(django_filters.FilterSet):
    """Triggers by words in their name or endpoint, by type, and by on or off."""

    q = django_filters.CharFilter(label="Search name or endpoint", method="search", max_length=200)
    type = django_filters.ChoiceFilter(choices=Trigger.Type.choices)
    state = django_filters.ChoiceFilter(
        label="State", choices=(("on", "on"), ("off", "off")), method="in_state", widget=forms.RadioSelect
    )

    def search(self, triggers: TriggerQuerySet, name: str, words: str) -> TriggerQuerySet:
        return triggers.filter(Q(name__icontains=words) | Q(api_endpoint__icontains=words))

    def in_state(self, triggers: TriggerQuerySet, name: str, state: str) -> TriggerQuerySet:
        return triggers.filter(enabled=state == "on")
