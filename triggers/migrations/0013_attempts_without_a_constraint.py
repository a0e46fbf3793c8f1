from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("triggers", "0012_totals_and_heartbeats")]

    operations = [
        migrations.AlterField(
            model_name="attempt",
            name="event",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attempts",
                to="triggers.event",
            ),
        ),
    ]
