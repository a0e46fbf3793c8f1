"""How events are delivered: all of it but the address and the payload."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property

from triggers import backoff, outbound, vault, verdict
from triggers.sealed import SealedJSONField, SealedTextField

LONGEST_TIMEOUT = 300  # seconds
MOST_AT_ONCE = 1000
MOST_A_MINUTE = 60_000


def _patient() -> list[float]:
    return list(backoff.PATIENT.delays)


class Recipe(models.Model):
    """How a trigger's events are delivered. A row never changes: an edit makes a new one, and every event keeps the
    one that it was fired with, until it is delivered, and for as long as it may be replayed as it was."""

    class Method(models.TextChoices):
        POST = "POST"
        PUT = "PUT"
        PATCH = "PATCH"
        DELETE = "DELETE"
        GET = "GET"
        HEAD = "HEAD"
        OPTIONS = "OPTIONS"

    method = models.CharField(max_length=10, choices=Method, default=Method.POST)
    # Triples [name, value, is_secret] of what the user adds; all values are encrypted, secret ones never shown again.
    headers = SealedJSONField(default=list, blank=True)
    # Empty: the payload as JSON.
    body_template = models.TextField(blank=True)
    timeout_seconds = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(LONGEST_TIMEOUT)]
    )  # None: DELIVERY_TIMEOUT_SECONDS

    # What counts as success (verdict.Rule).
    success_statuses = models.CharField(max_length=200, default="2xx")
    success_json_path = models.CharField(max_length=200, blank=True)
    success_json_equals: models.JSONField[Any, Any] = models.JSONField(null=True, blank=True)
    success_contains = models.CharField(max_length=1000, blank=True)
    success_longest_seconds = models.FloatField(null=True, blank=True)

    # What follows a failure (backoff.Retries).
    retry_delays: models.JSONField[Any, Any] = models.JSONField(default=_patient, blank=True)
    retry_statuses = models.CharField(max_length=200, blank=True)
    retries_silence = models.BooleanField(default=True)

    # How much at once, of this trigger alone; None: no limit of its own.
    most_at_once = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)]
    )
    rate_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_A_MINUTE)]
    )
    # After so many failed events in a row the trigger is switched off; None: never.
    switch_off_after = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )

    verify_tls = models.BooleanField(default=True)
    # What is shown to an endpoint that asks who calls, in PEM: both or none.
    client_certificate = models.TextField(blank=True)
    client_key = SealedTextField(blank=True)

    # What the machine keeps: requests are signed by this secret, and for a while by the one before it too.
    signing_secret = SealedTextField(blank=True, editable=False)
    old_signing_secret = SealedTextField(blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # When another took its place, or it was last used in a replay; retention.forget_recipes() asks.
    superseded_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"Recipe {self.pk}"

    @cached_property
    def retries(self) -> backoff.Retries:
        return backoff.Retries(tuple(self.retry_delays), self.retry_statuses, self.retries_silence)

    @cached_property
    def success_rule(self) -> verdict.Rule:
        return verdict.Rule(
            self.success_statuses,
            self.success_json_path,
            self.success_json_equals,
            self.success_contains,
            self.success_longest_seconds,
        )

    @property
    def shown_headers(self) -> list[tuple[str, str, bool]]:
        """The user's headers as they may be shown: name, value or mask, and whether it is secret."""
        return [(name, vault.MASK if secret else value, secret) for name, value, secret in self.headers]

    @cached_property
    def secrets(self) -> list[str]:
        """All that must never be shown or stored in clear."""
        return [
            *(value for _, value, is_secret in self.headers if is_secret and value),
            *(secret for secret in (self.signing_secret, self.old_signing_secret, self.client_key) if secret),
        ]

    def signing_secrets(self, now: datetime) -> list[str]:
        """Return the secrets to sign by; two while one replaces the other, none for an event without a signature."""
        secrets = [self.signing_secret] if self.signing_secret else []
        if self.old_signing_secret and self.old_secret_until and now < self.old_secret_until:
            secrets.append(self.old_signing_secret)
        return secrets

    @cached_property
    def route(self) -> outbound.Route:
        """How its requests leave: through the server's proxy, by its authorities, with the recipe's certificate."""
        return outbound.Route(
            proxy=settings.OUTBOUND_PROXY,
            authorities=settings.OUTBOUND_AUTHORITIES,
            client_certificate=self.client_certificate,
            client_key=self.client_key,
            is_verified=self.verify_tls,
        )
