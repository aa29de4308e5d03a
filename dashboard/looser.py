"""Which changes of the parameters make trading less careful: these ask again who is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trading.core import caution
from trading.core.params import Params
from trading.models import ParameterRevision
from trading.services import parameters


def are_values(values: Mapping[str, Any], *, now: datetime) -> bool:
    """Return whether these values change something and do not only lower the risk; ParamsError where they are impossible."""
    old = parameters.params_of(parameters.current(now=now))
    new = Params.of({**old.as_json(), **values})
    return new != old and not caution.is_safer(old, new)


def is_revision(number: int, *, now: datetime) -> bool:
    """Return whether going back to a revision does; one that is not there changes nothing."""
    found = ParameterRevision.objects.filter(number=number).first()
    return found is not None and are_values(parameters.params_of(found).as_json(), now=now)
