"""The request of an attempt, shown afterwards as it was."""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from triggers import definition, exchange, firing, vault
from triggers.delivery import deliver
from triggers.models import Event
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("template", ["", '{"from": "{{trigger.name}}", "try": {{attempt}}, "é": {{payload.é}}}'])
def test_it_is_what_was_sent_but_for_the_secrets(receiver: HTTPServer, template: str) -> None:
    sent: list[Request] = []

    def take(request: Request) -> Response:
        sent.append(request)
        return Response()

    receiver.expect_request("/hook").respond_with_handler(take)
    trigger = make_api_trigger(
        name="Order paid",
        api_endpoint=receiver.url_for("/hook"),
        payload={"é": [1.50, "ü"], "b": None},
        method="PATCH",
        headers=[["X-Token", "tell-nobody", True], ["X-Plain", "seen", False]],
        body_template=template,
    )
    pk = firing.fire(trigger, timezone.now()).event.pk
    deliver([pk])
    definition.change(trigger.pk, {"body_template": "", "method": "PUT", "payload": {}}, timezone.now())

    event = Event.objects.get(pk=pk)
    request = exchange.request_as_it_was(event, event.attempts.get())

    assert (request.method, request.url, request.body) == ("PATCH", sent[0].url, sent[0].get_data())
    shown = dict(request.headers)
    assert (shown["X-Token"], shown["X-Plain"]) == (vault.MASK, "seen")
    assert shown["webhook-signature"] == sent[0].headers["webhook-signature"]
    assert "tell-nobody" not in repr(request.headers)


def test_a_get_has_no_body(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("")
    trigger = make_api_trigger(api_endpoint=receiver.url_for("/hook"), method="GET")
    event = firing.fire(trigger, timezone.now()).event
    deliver([event.pk])

    request = exchange.request_as_it_was(event, event.attempts.get())

    assert (request.method, request.body) == ("GET", None)
