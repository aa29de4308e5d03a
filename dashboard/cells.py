"""Cells that several tables share."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from dashboard import formats
from dashboard.table import Cell

NONE = Cell(text=formats.NOTHING, tone="faint")


def moment(at: datetime | None) -> Cell:
    return Cell(at=at) if at else NONE


def words(text: str) -> Cell:
    return Cell(text=formats.words(text)) if text else NONE


def side(name: str) -> Cell:
    return Cell(text=name, tone=f"side {name}")


def symbol(name: str, *, tag: str = "") -> Cell:
    return Cell(text=name, tag=tag)


def trade(pk: int | None) -> Cell:
    return Cell(text=f"#{pk}", href=reverse("trade", args=[pk])) if pk else NONE


def ratio(fraction: float | None) -> Cell:
    """Return a fraction as basis points, for what is too small for percent."""
    return Cell(text=formats.basis_points(fraction)) if fraction is not None else NONE
