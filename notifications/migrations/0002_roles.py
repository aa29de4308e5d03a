"""The groups viewer, trader and admin, with what each may do on the pages too."""

from django.db import migrations

GRANTED = {
    "viewer": [],
    "trader": [("bot", "change_trading_state", "Can halt trading and let it go on")],
    "admin": [
        ("bot", "change_trading_state", "Can halt trading and let it go on"),
        ("parameterrevision", "add_parameterrevision", "Can add parameter revision"),
        ("parameterrevision", "view_parameterrevision", "Can view parameter revision"),
    ],
}


def make(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    permission = apps.get_model("auth", "Permission")
    content_type = apps.get_model("contenttypes", "ContentType")
    for name, granted in GRANTED.items():
        made, _ = group.objects.get_or_create(name=name)
        for model, codename, label in granted:
            # Django makes permissions after all migrations; one that is there already is left as it is.
            of, _ = content_type.objects.get_or_create(app_label="trading", model=model)
            right, _ = permission.objects.get_or_create(content_type=of, codename=codename, defaults={"name": label})
            made.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_messages"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    # Undone, the groups stay: people may be in them.
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
