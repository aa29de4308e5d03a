"""The navigation: every page's entry, in groups. One entry is one line; its address must exist in urls.py first."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One page of the navigation; `key` follows g on the keyboard, `icon` is a path in a 16 by 16 box."""

    name: str
    label: str
    key: str
    icon: str
    is_main: bool = False
    """Stands in the bar of a telephone; the others are behind More there."""
    permission: str = ""
    """Shown only to those who have it; empty: to everybody who is logged in."""

    @property
    def url(self) -> str:
        return reverse(self.name)


PLACES: tuple[tuple[str, tuple[Place, ...]], ...] = (
    (
        "Trading",
        (
            Place(name="overview", label="Overview", key="o", is_main=True, icon="M2 2h5v6H2zM9 2h5v3H9zM9 7h5v7H9zM2 10h5v4H2z"),
            Place(name="positions", label="Positions", key="i", is_main=True, icon="M2 13V8h3v5M6.5 13V3h3v10M11 13V6h3v7"),
            Place(name="trades", label="Trades", key="t", is_main=True, icon="M2 5h11l-3-3M14 11H3l3 3"),
            Place(name="signals", label="Signals", key="s", is_main=True, icon="M1 2h14l-5.5 6.5V14l-3-2V8.5z"),
        ),
    ),
    (
        "Markets",
        (
            Place(name="pairs", label="Pairs", key="w", icon="M2 3h7v3H2zM2 8h11v3H2zM2 13h4v1H2z"),
            Place(name="chart", label="Chart", key="c", icon="M4 2v3M4 11v3M2.5 5h3v6h-3zM11 1v4M11 10v4M9.5 5h3v5h-3z"),
        ),
    ),
    (
        "Research",
        (
            Place(name="performance", label="Performance", key="m", icon="M1 14h14M2 11l4-4 3 2 5-6"),
            Place(name="backtests", label="Backtests", key="b", icon="M8 3V1M3 8a5 5 0 1 0 2-4L3 2v4h4M8 6v3h2"),
            Place(name="parity", label="Parity", key="y", icon="M2 5h12M2 11h12M4 2v6M12 8v6"),
        ),
    ),
    (
        "AI",
        (
            Place(name="chat", label="Chat", key="q", icon="M2 2h12v9H7l-3 3v-3H2zM5 5h6M5 8h4"),
            Place(name="ai-report", label="AI report", key="e", icon="M8 2v12M4 14h8M3 4h10M3 4l-2 5h4zM13 4l-2 5h4z"),
            Place(name="ml-report", label="ML report", key="l", icon="M2 14V2M2 14h12M5 11c2 0 2-6 4-6s2 3 4 3"),
        ),
    ),
    (
        "Control",
        (
            Place(name="parameters", label="Parameters", key="p", icon="M1 4h8M12 4h3M1 12h3M7 12h8M10.5 2v4M5.5 10v4"),
            Place(name="proposals", label="Proposals", key="d", icon="M8 1a5 5 0 0 1 3 9v2H5v-2a5 5 0 0 1 3-9zM6 14h4"),
            Place(name="consents", label="Consents", key="v", icon="M5 2a2 2 0 1 0 .1 0M11 2a2 2 0 1 0 .1 0M1 11c0-5 8-5 8 0M9 8c3-1 6 0 6 3M4 14l2 1 4-3"),
            Place(name="risk", label="Risk", key="r", icon="M8 1l6 2v5c0 4-3 6-6 7-3-1-6-3-6-7V3z"),
            Place(name="reconciliation", label="Reconciliation", key="k", icon="M2 3h5v10H2zM9 3h5v10H9zM4 6h1M4 9h1M11 6h1M11 9h1"),
        ),
    ),
    (
        "System",
        (
            Place(name="health", label="Health", key="h", icon="M1 8h3l2-5 4 10 2-5h3"),
            Place(name="alerts", label="Alerts", key="n", icon="M8 2L1.5 13.5h13zM8 6v4M8 11.5v1"),
            Place(name="journal", label="Journal", key="j", icon="M3 1h10v14H3zM6 4h4M6 7h4M6 10h4"),
            Place(name="logs", label="Log", key="g", permission="trading.view_log", icon="M2 3h12M2 6h12M2 9h8M2 12h10"),
            Place(name="audit", label="Audit", key="u", icon="M5 4h6v4H5zM2 12a3 2 0 1 0 5 0 3 2 0 1 0-5 0M9 12a3 2 0 1 0 5 0 3 2 0 1 0-5 0M8 8v2", permission="trading.view_auditentry"),
            Place(name="users", label="Users", key="x", permission="auth.view_user", icon="M5.5 2a2.5 2.5 0 1 0 0 5 2.5 2.5 0 1 0 0-5M1 14c0-6 9-6 9 0M11 3a2 2 0 0 1 0 4M12 9.5c2 .5 3 2 3 4.5"),
            Place(name="setup", label="Set-up", key="z", icon="M2 3h3v3H2zM2 10h3v3H2zM8 4.5h6M8 11.5h6"),
        ),
    ),
)  # fmt: skip
