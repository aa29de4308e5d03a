"""The venue's market streams speak Binance's words, and lie on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.venue.launch import Venue

PAIR = "BTC/USDT"


@asynccontextmanager
async def listening(fake: Venue, path: str) -> AsyncIterator[ClientConnection]:
    async with connect(fake.stream_url + path, max_size=32 << 20, proxy=None) as socket:
        await ask(socket, "LIST_SUBSCRIPTIONS")  # once this is answered the server knows the socket
        yield socket


async def ask(socket: ClientConnection, method: str, *streams: str) -> Any:
    await socket.send(json.dumps({"method": method, "params": streams, "id": 7}))
    while (answer := await hear(socket)).get("id") != 7:
        pass
    return answer["result"]


async def hear(socket: ClientConnection, within: float = 3.0) -> Any:
    return json.loads(await asyncio.wait_for(socket.recv(), within))


async def set_price(fake: Venue, price: str) -> None:
    await asyncio.to_thread(fake.price, PAIR, price)


async def test_a_price_reaches_each_stream_of_its_symbol(fake: Venue) -> None:
    async with listening(fake, "/stream?streams=btcusdt@trade/ethusdt@trade") as socket:
        await set_price(fake, "50123.45")

        event = await hear(socket)

    assert (event["stream"], event["data"]["e"], event["data"]["p"]) == ("btcusdt@trade", "trade", "50123.45000000")


async def test_subscriptions_change_on_an_open_socket(fake: Venue) -> None:
    async with listening(fake, "/ws") as socket:
        assert await ask(socket, "SUBSCRIBE", "btcusdt@trade", "btcusdt@bookTicker") is None
        await ask(socket, "UNSUBSCRIBE", "btcusdt@trade")
        assert await ask(socket, "LIST_SUBSCRIPTIONS") == ["btcusdt@bookTicker"]
        await set_price(fake, "50001")

        while (event := await hear(socket))["b"] != "50001.00000000":
            pass

    assert event["s"] == "BTCUSDT"


async def test_candles_close_as_time_goes_by(fake: Venue) -> None:
    async with listening(fake, "/ws/btcusdt@kline_1s") as socket:
        await set_price(fake, "50001")
        while not (event := await hear(socket))["k"]["x"]:
            pass

    assert (event["e"], event["k"]["i"]) == ("kline", "1s")
    assert event["k"]["T"] < event["E"]


async def test_a_duplicate_and_a_disorder(fake: Venue) -> None:
    async with listening(fake, "/ws/btcusdt@trade") as socket:
        fake.stream("duplicate")
        await set_price(fake, "50001")
        assert await hear(socket) == await hear(socket)
        fake.heal()
        fake.stream("disorder")
        for price in ("50002", "50003"):
            await set_price(fake, price)

        ids = [(await hear(socket))["t"], (await hear(socket))["t"]]

    assert ids[0] > ids[1]


async def test_silence_keeps_the_socket_open(fake: Venue) -> None:
    async with listening(fake, "/ws/btcusdt@trade") as socket:
        fake.stream("silence")
        await set_price(fake, "50001")
        with pytest.raises(TimeoutError):
            await hear(socket, within=0.2)
        pong = await socket.ping()
        await asyncio.wait_for(pong, 1)


async def test_stale_repeats_an_old_event(fake: Venue) -> None:
    async with listening(fake, "/ws/btcusdt@trade") as socket:
        fake.stream("stale")
        await set_price(fake, "50001")
        first = await hear(socket)
        await asyncio.sleep(0.01)
        await set_price(fake, "49000")

        assert await hear(socket) == first


async def test_nonsense_frames(fake: Venue) -> None:
    async with listening(fake, "/ws/btcusdt@trade") as socket:
        fake.stream("nan")
        await set_price(fake, "50001")
        assert (await hear(socket))["p"] == "NaN"
        fake.stream("malformed")
        with pytest.raises(json.JSONDecodeError):
            await hear(socket)
        fake.stream("huge")
        assert len(await socket.recv()) > 10 << 20


async def test_a_disconnect_and_a_refusal_to_come_back(fake: Venue) -> None:
    async with listening(fake, "/ws/btcusdt@trade") as socket:
        fake.stream("disconnect", refuse=True)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    with pytest.raises(ConnectionClosed):
        async with listening(fake, "/ws/btcusdt@trade"):
            pass
    fake.heal()
    async with listening(fake, "/ws/btcusdt@trade"):
        pass


async def test_ccxt_pro_watches_candles_and_tickers(fake: Venue) -> None:
    client = ccxt.pro.binance(fake.ccxt_options("binance"))
    try:
        await client.load_markets()
        watching = asyncio.create_task(client.watch_ohlcv(PAIR, "1m"))
        ticking = asyncio.create_task(client.watch_bids_asks([PAIR]))

        bars = await asyncio.wait_for(watching, 5)
        books = await asyncio.wait_for(ticking, 5)
    finally:
        await client.close()

    assert float(bars[-1][4]) == 50_000
    assert float(books[PAIR]["bid"]) == 50_000
