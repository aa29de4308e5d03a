"""Moments in templates: the exact UTC time, which the browser turns into an age that ticks, or into the reader's zone."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def age(at: datetime, old_after: int | None = None) -> SafeString:
    """Return a <time>; where it is older than `old_after` seconds the browser marks it as old."""
    limit = format_html(' data-old-after="{}"', old_after) if old_after is not None else ""
    return format_html(
        '<time datetime="{}" title="{}" data-age{}>{}</time>',
        at.isoformat(),
        f"{at:%Y-%m-%d %H:%M:%S} UTC",
        limit,
        f"{at:%d %b %H:%M}",
    )


@register.simple_tag
def moment(at: datetime) -> SafeString:
    """Return a <time> that the browser writes in the reader's zone; UTC stands in its title, and where no script runs."""
    utc = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}" data-local>{}</time>',
        at.isoformat(),
        f"{utc:%Y-%m-%d %H:%M:%S} UTC",
        f"{utc:%Y-%m-%d %H:%M} UTC",
    )
