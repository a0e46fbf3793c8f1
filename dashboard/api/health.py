"""For monitors: whether the server is well, in one word for everybody, and in figures for Prometheus."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Status

from dashboard import metrics, pulse
from dashboard.api import auth
from dashboard.api.schemas import REFUSED, Health
from dashboard.permissions import Permission

router = Router(tags=["Health"])


@router.get(
    "/healthz",
    auth=None,
    response={200: Health, 503: Health},
    operation_id="health",
    summary="Is the database there, and does the cluster beat?",
)
def healthz(request: HttpRequest) -> Status[Health]:
    if pulse.is_felt():
        return Status(200, Health(status="ok"))
    return Status(503, Health(status="degraded"))


@router.get(
    "/metrics",
    response={200: str, **REFUSED},
    operation_id="metrics",
    summary="Figures of the server, for Prometheus",
    description="In the text format of Prometheus, or as OpenMetrics where `Accept` asks for that. No key is needed "
    "from METRICS_ALLOWED_NETWORKS.",
    openapi_extra={
        "responses": {
            200: {
                "description": "The figures as they are now",
                "content": {kind: {"schema": {"type": "string"}} for kind in metrics.MEDIA_TYPES},
            }
        }
    },
)
@auth.needs(Permission.METRICS, auth.from_metrics_network)
def show_metrics(request: HttpRequest) -> HttpResponse:
    auth.refuse_if_limited(request, "Metrics are about all of them: use a key that is not.")
    text, content_type = metrics.expose(timezone.now(), request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)
