"""The rest of an entry that fills after its trade was stopped out and the symbol entered anew."""

from __future__ import annotations

import pytest

from tests.properties.world import World
from trading.models import Order, OrderRole

pytestmark = pytest.mark.django_db


def test_the_rest_of_an_entry_does_not_outlive_its_trade() -> None:
    world = World()
    world.tick()
    world.close_bar()
    world.want("BTC/USDT")
    world.venue.script = ["partial_rests"]
    world.tick()
    world.move("BTC/USDT", 90.0)  # the stop sells what had filled
    world.wait(2)
    world.tick()
    world.close_bar()
    world.want("BTC/USDT")
    world.tick()

    world.settle_down()

    assert not Order.objects.filter(role=OrderRole.ENTRY, status="partial").exists()
