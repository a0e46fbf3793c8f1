"""Fixtures for the tests of pages and of the API."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.fixture
def program(api_key: str) -> Client:
    """A program that calls the API with a key; what goes wrong inside comes back as an answer."""
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {api_key}"})
