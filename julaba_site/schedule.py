"""What runs when and where: the queues, which tasks belong into them, how long they may take, and what beat sends."""

from __future__ import annotations

from typing import Any

QUEUES: dict[str, Any] = {"trading": {}, "work": {}, "notify": {}, "research": {}, "ml": {}}
ROUTES = {
    "mlops.tasks.*": {"queue": "ml"},
    "trading.tasks.tick": {"queue": "trading"},
    "trading.tasks.supervise": {"queue": "trading"},
    "trading.tasks.research": {"queue": "research"},
    "trading.tasks.research_part": {"queue": "research"},
    # Beside the others of its app it would keep an answer of the AI waiting.
    "mlops.tasks.follow_refused": {"queue": "work"},
    "notifications.tasks.*": {"queue": "notify"},
}
LIMITS: dict[str, dict[str, Any]] = {
    # A lost run is found by its row, so the message need not wait for its end.
    "trading.tasks.research": {"soft_time_limit": 1800, "time_limit": 1860, "acks_late": False},
    "trading.tasks.research_part": {"soft_time_limit": 1800, "time_limit": 1860, "acks_late": False},
    # After days away it has much to catch up with.
    "mlops.tasks.follow_refused": {"soft_time_limit": 240, "time_limit": 270, "acks_late": False},
    "trading.tasks.backup": {"soft_time_limit": 1800, "time_limit": 1860, "acks_late": False},
    "trading.tasks.try_backup": {"soft_time_limit": 1800, "time_limit": 1860, "acks_late": False},
    "mlops.tasks.train": {"soft_time_limit": 1800, "time_limit": 1860, "acks_late": False},
}


def beat(*, tick_s: float, scan_s: float, propose_s: float) -> dict[str, dict[str, Any]]:
    """Return what beat sends, at which pace in seconds."""
    return {
        # A hint that came too late is worth nothing: each expires before its successor.
        "tick": {"task": "trading.tasks.tick", "schedule": tick_s, "options": {"expires": tick_s * 0.9}},
        "scan": {"task": "trading.tasks.scan", "schedule": scan_s, "options": {"expires": scan_s * 0.9}},
        "watch": {"task": "trading.tasks.watch", "schedule": 60, "options": {"expires": 54}},
        "self-test": {"task": "trading.tasks.self_test", "schedule": 3600, "options": {"expires": 3000}},
        "research": {"task": "trading.tasks.research", "schedule": 5, "options": {"expires": 4.5}},
        # Sent often, made when the rows say that one is due: what failed is tried again soon.
        "backup": {"task": "trading.tasks.backup", "schedule": 900, "options": {"expires": 600}},
        "try-backup": {"task": "trading.tasks.try_backup", "schedule": 3600, "options": {"expires": 3000}},
        "prune": {"task": "trading.tasks.prune", "schedule": 3600, "options": {"expires": 3000}},
        "follow-refused": {"task": "mlops.tasks.follow_refused", "schedule": 60, "options": {"expires": 54}},
        "advise": {"task": "mlops.tasks.advise", "schedule": 5, "options": {"expires": 4.5}},
        "propose": {"task": "mlops.tasks.propose", "schedule": propose_s, "options": {"expires": 25}},
        "train": {"task": "mlops.tasks.train", "schedule": 300, "options": {"expires": 240}},
        "watch-models": {"task": "mlops.tasks.watch_models", "schedule": 900, "options": {"expires": 600}},
        "prune-chat": {"task": "mlops.tasks.prune_chat", "schedule": 3600, "options": {"expires": 3000}},
        "messages": {"task": "notifications.tasks.sweep", "schedule": 5, "options": {"expires": 4.5}},
        "alerts": {"task": "notifications.tasks.watch", "schedule": 10, "options": {"expires": 9}},
        "prune-messages": {"task": "notifications.tasks.prune", "schedule": 3600, "options": {"expires": 3000}},
        "prune-access": {"task": "dashboard.tasks.prune", "schedule": 3600, "options": {"expires": 3000}},
        "check-tallies": {"task": "dashboard.tasks.check_tallies", "schedule": 3600, "options": {"expires": 3000}},
    }
