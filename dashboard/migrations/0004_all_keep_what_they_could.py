"""Before there were roles and scopes, everyone and every key could do everything: they keep it."""

from django.db import migrations


def give_everything(apps, schema_editor):
    apps.get_model("dashboard", "User").objects.update(role="admin")
    apps.get_model("dashboard", "ApiKey").objects.update(may_read=True, may_fire=True, may_write=True)


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0003_roles_and_scopes"),
    ]

    operations = [
        migrations.RunPython(give_everything, migrations.RunPython.noop),
    ]
