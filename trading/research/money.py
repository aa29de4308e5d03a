"""Money in whole numbers for compiled code: the same roundings as Decimal's, without its cost.

An amount is a whole number of 1e-8 quote, a price one of steps, a quantity one of lots. A product of the three may
not fit 64 bits: it is kept modulo 2**64, a float says roughly where its quotient lies, and the remainder, which does fit,
says exactly.
"""

from __future__ import annotations

import numpy as np
from numba import njit

UNIT = 100_000_000
"""So many are one quote; models.fields.stored keeps eight places."""
FINE = 10_000_000_000_000_000
"""Parts of a unit that a wide amount (units, parts) counts."""
LARGEST = 4 * 10**18
"""Beyond it an amount of units is refused, far before it stops fitting."""


@njit(cache=True)
def floor_parts(product: int, estimate: float, divisor: int) -> tuple[int, int]:
    """Return quotient (down) and remainder of a product known modulo 2**64 and about `estimate * divisor` large."""
    quotient = int(np.floor(estimate))
    rest = product - quotient * divisor
    while rest < 0:
        rest += divisor
        quotient -= 1
    while rest >= divisor:
        rest -= divisor
        quotient += 1
    return quotient, rest


@njit(cache=True)
def half_even(product: int, estimate: float, divisor: int) -> int:
    """Return the quotient rounded to the nearest, ties to even, as Decimal.quantize does."""
    quotient, rest = floor_parts(product, estimate, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and quotient % 2 != 0):
        quotient += 1
    return quotient


@njit(cache=True)
def steps_of(price: float, numerator: float, denominator: float) -> int:
    """Return the price in steps, halves up, as types.Market.price rounds the float's shortest text.

    The tie between two steps is a short decimal, and the float nearest to it is what its text reads as: comparing
    floats is comparing texts.
    """
    below = np.floor(price * denominator / numerator)
    tie = (2.0 * below + 1.0) * numerator / (2.0 * denominator)
    return int(below) + 1 if price >= tie else int(below)


@njit(cache=True)
def price_of(steps: int, numerator: float, denominator: float) -> float:
    """Return the float nearest to a price in steps."""
    return steps * numerator / denominator
