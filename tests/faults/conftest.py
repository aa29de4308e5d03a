"""A venue per test, and the real ccxt classes turned toward it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.venue.launch import Venue, venue

Connect = Callable[..., Any]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Venue]:
    with venue(tmp_path / "venue.db") as running:
        yield running


@pytest.fixture
def connect(fake: Venue) -> Iterator[Connect]:
    """Make ccxt clients of the venue, with markets loaded, and close them in the end."""
    made: list[Any] = []

    def make(exchange: str, *, load: bool = True, **config: Any) -> Any:
        client = getattr(ccxt, exchange)(fake.ccxt_options(exchange, **config))
        made.append(client)
        if load:
            client.load_markets()
        return client

    yield make
    for client in made:
        client.session.close()


@pytest.fixture
def binance(connect: Connect) -> Any:
    return connect("binance")


@pytest.fixture
def mexc(connect: Connect) -> Any:
    return connect("mexc")
