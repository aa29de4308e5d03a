"""The database role of the web process, where there is one: it reads all but sealed keys, and writes what people do on the pages.

deploy/postgresql/web.sql makes the role. What it may follows from here and is given anew after each `migrate`, so that a
table which an upgrade brings is never closed to the pages by accident, nor open to writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from typing import Any

from django.db import connections, transaction

ROLE = "julaba_web"
UNREAD = {"trading_exchangekey": ("sealed",)}
"""Columns by table that are nobody's but the trading processes'."""
ADDED, WHOLE = "INSERT", "INSERT, UPDATE, DELETE"
WRITES = {
    # Who is there, and what belongs to the pages themselves.
    **dict.fromkeys(("auth_user*", "otp_*", "axes_*", "dashboard_*", "django_session"), WHOLE),
    **dict.fromkeys(("notifications_contact", "notifications_preference", "notifications_alertrule"), WHOLE),
    # History: rows are added and stay. The head of the audit's chain moves on.
    **dict.fromkeys(("trading_auditentry", "trading_statechange", "trading_event", "django_admin_log"), ADDED),
    **dict.fromkeys(("trading_parameterrevision", "notifications_update"), ADDED),
    "trading_audithead": "UPDATE (number, digest)",
    # What people ask for, and a worker or the tick does.
    "trading_bot": "UPDATE (trading_state, state_reason)",
    "trading_trade": "UPDATE (remaining_fraction, exit_reason)",
    **dict.fromkeys(("trading_instruction", "trading_consent", "trading_liveapproval"), "INSERT, UPDATE"),
    **dict.fromkeys(("trading_backtestrun", "trading_parameterdraft"), "INSERT, UPDATE"),
    "trading_runpart": WHOLE,
    "trading_proposal": "UPDATE (status, decided_by, decided_at, outcome)",
    **dict.fromkeys(("trading_watchedpair", "trading_blacklistentry", "trading_pairlock"), "INSERT, UPDATE"),
    "trading_pairswitch": "INSERT, UPDATE",
    **dict.fromkeys(("trading_tradenote", "trading_tradetag"), WHOLE),
    "notifications_alert": "UPDATE (acknowledged_at, acknowledged_by)",
    "mlops_chatmessage": "INSERT, UPDATE",
    "mlops_modelversion": "UPDATE",
    "mlops_trainingrun": "INSERT, UPDATE",
    "mlops_bypass": "UPDATE",
}
"""Rights by table, beside reading; a table that nothing here names is only read."""


def grant(using: str, **_: Any) -> None:
    """Give the role what it may, and nothing else; without PostgreSQL or the role there is nothing to do."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
        if cursor.fetchone() is None:
            return
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}")
        for table in connection.introspection.table_names(cursor):
            columns = [each.name for each in connection.introspection.get_table_description(cursor, table)]
            for right in _rights(table, columns):
                cursor.execute(f"GRANT {right} ON {connection.ops.quote_name(table)} TO {ROLE}")


def _rights(table: str, columns: Sequence[str]) -> Iterator[str]:
    hidden = UNREAD.get(table, ())
    yield f"SELECT ({', '.join(name for name in columns if name not in hidden)})" if hidden else "SELECT"
    yield from (right for pattern, right in WRITES.items() if fnmatch(table, pattern))
