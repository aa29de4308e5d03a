"""One more rule for passwords: long enough to be a sentence, and made of more than one sign repeated."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

LONGEST, FEWEST_SIGNS = 1024, 6


class Bounds:
    """Refuse what no log-in form should have to hash, and a few signs over and over."""

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) > LONGEST:
            raise ValidationError(f"This password has more than {LONGEST} characters: use a shorter one.")
        if len(set(password)) < FEWEST_SIGNS:
            raise ValidationError(f"This password has fewer than {FEWEST_SIGNS} different characters: use more.")

    def get_help_text(self) -> str:
        return f"Your password must have at least {FEWEST_SIGNS} different characters; it may be a whole sentence."
