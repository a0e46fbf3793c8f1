"""A trigger is duplicated: the form of a new one, filled from it, but for its secrets."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from triggers.models import Trigger
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = pytest.mark.django_db
NEW = "/dashboard/triggers/new/"


def sent(client: Client, source: Trigger) -> dict[str, Any]:
    """What the form of a copy sends as it stands."""
    form = client.get(f"{NEW}?from={source.pk}").context["form"]
    data = {name: form[name].value() for name in form.fields if name != "headers"}
    for number, row in enumerate(form.header_rows):
        data |= {f"header_name_{number}": row.name, f"header_value_{number}": row.value}
        data |= {f"header_secret_{number}": "on"} if row.is_secret else {}
    return {name: value for name, value in data.items() if value not in (None, False)}


def test_it_is_filled_from_the_other_and_named_after_it(signed_in: Client) -> None:
    source = make_trigger(
        name="Probe",
        schedule_type="cron",
        schedule_value="30 2 * * *",
        api_endpoint="https://a.example/x",
        retry_delays=[7, 3, 90],  # that no preset and no growth makes
        headers=[["X-Team", "blue", False]],
        overlap_policy="skip",
    )
    answer = signed_in.post(f"{NEW}?from={source.pk}", sent(signed_in, source))

    assert answer.status_code == 302, answer.context["form"].errors
    copy = Trigger.objects.latest("pk")
    assert copy.pk != source.pk
    assert (copy.name, copy.schedule_value, copy.overlap_policy) == ("Copy of Probe", "30 2 * * *", "skip")
    assert copy.recipe is not None
    assert source.recipe is not None
    assert (copy.recipe.retry_delays, copy.recipe.headers) == ([7, 3, 90], [["X-Team", "blue", False]])
    assert copy.recipe.signing_secret != source.recipe.signing_secret


def test_secret_values_are_asked_for_again(signed_in: Client) -> None:
    source = make_api_trigger(api_endpoint="https://a.example/x", headers=[["Authorization", "Bearer s3cret", True]])

    page = signed_in.get(f"{NEW}?from={source.pk}").text
    assert "s3cret" not in page
    assert "Its secret values are not copied: fill them in again." in page
    assert 'value="Authorization"' in page
    assert "header_kept_0" not in page

    data = sent(signed_in, source)
    refused = signed_in.post(f"{NEW}?from={source.pk}", data)
    assert refused.status_code == 422
    assert "“Authorization” is secret and has no value." in refused.text
    tried = signed_in.post(f"/dashboard/triggers/draft-test/?from={source.pk}", data | {"header_value_0": "••••••"})
    assert tried.status_code == 422  # nor can it be taken from the other by its mask

    assert signed_in.post(f"{NEW}?from={source.pk}", data | {"header_value_0": "mine"}).status_code == 302
    copy = Trigger.objects.latest("pk")
    assert copy.recipe is not None
    assert copy.recipe.headers == [["Authorization", "mine", True]]


def test_a_long_name_is_cut(signed_in: Client) -> None:
    source = make_api_trigger(name="x" * 120)
    assert signed_in.get(f"{NEW}?from={source.pk}").context["form"]["name"].value() == "Copy of " + "x" * 112


@pytest.mark.parametrize("source", ["4711", "x", "-1", "9" * 30, ""])
def test_of_what_is_not_there_it_is_a_new_one(signed_in: Client, source: str) -> None:
    answer = signed_in.get(f"{NEW}?from={source}")
    assert answer.status_code == 200
    assert answer.context["form"].copy_of is None


def test_list_and_page_lead_to_it(signed_in: Client) -> None:
    trigger = make_api_trigger()
    for address in ("/dashboard/triggers/", f"/dashboard/triggers/{trigger.pk}/"):
        assert f'href="{NEW}?from={trigger.pk}"' in signed_in.get(address).text
