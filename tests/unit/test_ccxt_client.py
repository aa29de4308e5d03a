"""What a client keeps of a venue, without a venue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trading.adapters.ccxt_client import CcxtClient

LOT = {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "9000", "stepSize": "0.1"}
TICKS = ("0.01", "0.01", "0.05")


def listed(base: str, tick: str) -> dict[str, Any]:
    price = {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000", "tickSize": tick}
    return {
        "symbol": f"{base}USDT", "status": "TRADING", "baseAsset": base, "quoteAsset": "USDT", "isSpotTradingAllowed": True,
        "orderTypes": ["LIMIT", "MARKET"], "filters": [price, LOT], "permissions": [],
    }  # fmt: skip


def test_what_a_venue_says_of_all_its_markets_is_kept_once_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = [listed(base, tick) for base, tick in zip("ABC", TICKS, strict=True)]
    client = CcxtClient("binance")
    answer = json.dumps({"timezone": "UTC", "serverTime": 1, "rateLimits": [], "symbols": symbols})
    asked: list[str] = []

    def fetch(exchange: Any, url: str, *_: Any, **__: Any) -> Any:
        asked.append(url)
        return json.loads(answer)

    monkeypatch.setattr(type(client.exchange), "fetch", fetch)

    with client.call():
        made = client.markets()

    assert [url.partition("/api/v3/")[2] for url in asked] == ["exchangeInfo?showPermissionSets=false"]
    said = [made[f"{base}/USDT"]["info"] for base in "ABC"]
    assert said == symbols
    assert [market["precision"]["price"] for market in made.values()] == list(TICKS)
    assert said[0]["orderTypes"] is said[1]["orderTypes"] is said[2]["orderTypes"]
    assert said[0]["filters"] is said[1]["filters"] is not said[2]["filters"]
    assert said[0]["filters"][1] is said[2]["filters"][1]
