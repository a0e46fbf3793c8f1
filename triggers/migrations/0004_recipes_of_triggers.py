"""Every trigger gets its recipe, with a signing secret of its own, and its unfinished events with it."""

from __future__ import annotations

from django.db import migrations

from triggers import signing


def give_recipes(apps, schema_editor):
    Recipe = apps.get_model("triggers", "Recipe")
    Trigger = apps.get_model("triggers", "Trigger")
    Event = apps.get_model("triggers", "Event")
    for pk in Trigger.objects.filter(recipe__isnull=True).values_list("pk", flat=True).iterator():
        recipe = Recipe.objects.create(signing_secret=signing.new_secret())
        Trigger.objects.filter(pk=pk).update(recipe=recipe)
        Event.objects.filter(trigger=pk, hand_over_at__isnull=False).update(recipe=recipe)


class Migration(migrations.Migration):
    dependencies = [("triggers", "0003_deliveries_to_trust")]

    operations = [migrations.RunPython(give_recipes, migrations.RunPython.noop, elidable=True)]
