"""Column types that every money table shares."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial

from django.db import models

Quantity = partial(models.DecimalField, max_digits=28, decimal_places=12)
"""An amount of base or quote currency, or a price: 16 digits before the point, 12 behind it."""

PLACES = Decimal("1e-8")


def stored(value: Decimal) -> Decimal:
    """Return an amount rounded to what every database keeps exactly.

    SQLite holds a decimal as a float of 15 sure digits, and adds floats when SQL adds: so amounts have 8
    decimals, and sums of money are made in Python.
    """
    # Said aloud: libraries change the process's own rounding (ccxt does).
    return value.quantize(PLACES, rounding=ROUND_HALF_EVEN)
