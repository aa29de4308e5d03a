"""What the bot can be asked: each module registers its commands when it is imported."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "start",
    "account",
    "trades",
    "market",
    "pairs",
    "system",
    "assistant",
    "reports",
    "pictures",
    "research",
    "acts",
    "proposals",
    "tuning",
)


def load() -> None:
    """Fill the registry; the second call costs nothing."""
    for name in MODULES:
        import_module(f"notifications.commands.{name}")
