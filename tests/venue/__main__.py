"""Run the venue: `python -m tests.venue --port 0 --control-port 0 --database FILE`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys

from tests.venue.control import Control
from tests.venue.server import Limits, Venue
from tests.venue.wire import serve


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, after one line of JSON that names the ports."""
    limits = Limits(weight=options.weight_limit, orders=options.order_limit, page=options.page_limit)
    venue = Venue(database=options.database, seed=options.seed, limits=limits)
    market = await serve(options.port, venue.handle, venue.on_socket)
    control = await serve(options.control_port, Control(venue).handle)
    ports = {"port": market.sockets[0].getsockname()[1], "control": control.sockets[0].getsockname()[1]}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    tasks = [asyncio.create_task(venue.streams.run()), asyncio.create_task(_watch(options.parent, stopped))]
    await stopped.wait()
    for task in tasks:
        task.cancel()
    market.close()
    control.close()
    venue.store.close()


async def _watch(parent: int | None, stopped: asyncio.Event) -> None:
    """Stop when the test that started us has been killed and could not."""
    while parent is None or os.getppid() == parent:  # noqa: ASYNC110 - no event tells of a parent's death
        await asyncio.sleep(1.0)
    stopped.set()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--database", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weight-limit", type=int, help="request weight per minute; Binance has 6000; default: none")
    parser.add_argument("--order-limit", type=int, help="new orders per 10 seconds; Binance has 100; default: none")
    parser.add_argument("--page-limit", type=int, default=1000, help="the most rows that one list reply holds")
    parser.add_argument("--parent", type=int, help="stop when this is no longer the parent process")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
