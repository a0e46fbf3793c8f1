"""The API against its own description: schemathesis makes calls of every kind, within bounds and out of them."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from django.utils import timezone
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from dashboard.api.root import api
from dashboard.wsgi import application
from triggers.models import Beat
from triggers.tests.factories import make_event

schema = schemathesis.openapi.from_dict(api.get_openapi_schema(path_prefix=""))
schema.app = application


# Every call is committed, as in the running server.
@pytest.mark.django_db(transaction=True)
@schema.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_it_keeps_to_its_description(case: Any, api_key: str) -> None:
    make_event()
    Beat.objects.update_or_create(pk=Beat.ID, defaults={"seen_at": timezone.now()})
    # test_api_auth.py looks at keys; here a good one is sent beside those that are made up.
    # A schema cannot say every rule (a time zone's name, a time of day): what it allows may still be refused.
    if str((case.query or {}).get("wait_seconds", "0")).isdigit():
        case.query = {**(case.query or {}), "wait_seconds": 0} if case.path == "/triggers/test" else case.query
    case.call_and_validate(headers={"X-API-Key": api_key}, excluded_checks=[ignored_auth, positive_data_acceptance])
