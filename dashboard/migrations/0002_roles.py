"""The groups viewer, trader, risk and admin, with what each may do; who is in none may look at the pages."""

from django.db import migrations

TRADER = (
    ("trading", "bot", "change_trading_state"),
    *(("trading", "backtestrun", f"{act}_backtestrun") for act in ("add", "change")),
    ("trading", "tradenote", "add_tradenote"),
    ("trading", "watchedpair", "manage_pairs"),
    ("notifications", "alert", "change_alert"),
)
RISK = (
    *TRADER,
    ("trading", "parameterrevision", "add_parameterrevision"),
    ("trading", "parameterrevision", "view_parameterrevision"),
    ("trading", "parameterdraft", "view_parameterdraft"),
    ("trading", "parameterdraft", "overrule_gate"),
    ("trading", "auditentry", "view_auditentry"),
    ("trading", "backuprun", "view_log"),
    ("mlops", "modelversion", "promote_model"),
    ("mlops", "trainingrun", "add_trainingrun"),
    ("mlops", "bypass", "change_bypass"),
)
READ_ONLY = (
    *("trade", "order", "signal", "event", "ledgerentry", "scan", "bot", "statechange", "reconcilerun"),
    *("invariantrun", "externalorder", "externalholding", "doctorrun", "liveapproval", "exchangekey", "backtestrun"),
)
ADMIN = (
    *RISK,
    *(("trading", model, f"view_{model}") for model in READ_ONLY),
    *(("auth", "user", f"{act}_user") for act in ("add", "change", "view")),
    ("auth", "group", "view_group"),
    *(("dashboard", "apitoken", f"{act}_apitoken") for act in ("change", "view")),
    *(("dashboard", "sessionrecord", f"{act}_sessionrecord") for act in ("delete", "view")),
    *(("notifications", "contact", f"{act}_contact") for act in ("add", "change", "delete", "view")),
    *(("notifications", "alertrule", f"{act}_alertrule") for act in ("add", "change", "view")),
    *(("notifications", model, f"view_{model}") for model in ("alert", "delivery", "update", "confirmation")),
)
ROLES = {"viewer": (), "trader": TRADER, "risk": RISK, "admin": ADMIN}
LABELS = {
    "add_backtestrun": "Can add backtest run",
    "change_backtestrun": "Can change backtest run",
    "add_tradenote": "Can add trade note",
    "add_trainingrun": "Can add training run",
    "manage_pairs": "Can watch, switch, lock and blacklist pairs",
    "promote_model": "Can promote, retire and roll back models",
    "view_log": "Can read the log of every process",
    "change_trading_state": "Can halt trading and let it go on",
    "overrule_gate": "Can put parameters in force that the gate holds back",
}


def make(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    permission = apps.get_model("auth", "Permission")
    content_type = apps.get_model("contenttypes", "ContentType")
    for name, granted in ROLES.items():
        made, _ = group.objects.get_or_create(name=name)
        for app, model, codename in granted:
            # Django makes permissions after all migrations; one that is there already is left as it is.
            of, _ = content_type.objects.get_or_create(app_label=app, model=model)
            label = LABELS.get(codename, f"Can {codename.replace('_', ' ')}")
            right, _ = permission.objects.get_or_create(content_type=of, codename=codename, defaults={"name": label})
            made.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0001_access"),
        ("notifications", "0002_roles"),
        ("trading", "0016_audit"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    # Undone, the groups stay: people may be in them.
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
