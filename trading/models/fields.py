"""Column types that every money table shares."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from django.db import models

Quantity = partial(models.DecimalField, max_digits=28, decimal_places=12)
"""An amount of base or quote currency, or a price: 16 digits before the point, 12 behind it."""

PLACES = Decimal("1e-12")


def stored(value: Decimal) -> Decimal:
    """Return an amount as a Quantity column keeps it, so that sums in Python and in the database agree."""
    return value.quantize(PLACES)
