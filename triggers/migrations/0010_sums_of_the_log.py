"""The sums of each trigger begin with what the log still has; how long its attempts took is not read again."""

from __future__ import annotations

from datetime import UTC

from django.db import migrations
from django.db.models import Count
from django.db.models.functions import TruncHour

UNMEASURED = -1
AT_ONCE = 5000  # rows


def sum_up(apps, schema_editor):
    Event = apps.get_model("triggers", "Event")
    TriggerHour = apps.get_model("triggers", "TriggerHour")
    finished = Event.objects.filter(is_test=False, trigger__isnull=False, hand_over_at__isnull=True)
    sums = (
        finished.annotate(hour=TruncHour("triggered_at", tzinfo=UTC))
        .order_by()
        .values_list("hour", "trigger", "outcome")
    )
    TriggerHour.objects.bulk_create(
        (
            TriggerHour(hour=hour, trigger_id=trigger, outcome=outcome, latency_band=UNMEASURED, count=count)
            for hour, trigger, outcome, count in sums.annotate(Count("pk")).iterator(AT_ONCE)
        ),
        batch_size=AT_ONCE,
    )


class Migration(migrations.Migration):
    dependencies = [("triggers", "0009_sums_by_trigger")]

    operations = [migrations.RunPython(sum_up, migrations.RunPython.noop, elidable=True)]
