"""ccxt loads no venue before it is named, and then it is ccxt's own; in a process of its own, for ours has them all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

STREAM = """
import sys
from trading.adapters.ccxt_stream import CcxtStream

def loaded():
    venues = (name for name in sys.modules if name.startswith("ccxt."))
    return sorted(name for name in venues if name.rpartition(".")[2] in ccxt.exchanges)

from trading.adapters.ccxt_lazy import ccxt
assert loaded() == [], loaded()
CcxtStream("binance", markets=dict)
assert loaded() == ["ccxt.abstract.binance", "ccxt.async_support.binance", "ccxt.pro.binance"], loaded()
"""

VENUES = """
from trading.adapters import ccxt_lazy
from trading.adapters.ccxt_lazy import ccxt

pro = ccxt_lazy.streams()
import ccxt.async_support as rest
# A venue that another one builds on is loaded as a module first.
assert issubclass(pro.binanceusdm, pro.binance), pro.binance
assert issubclass(pro.binance, rest.binance) and issubclass(rest.binanceusdm, rest.binance)
assert issubclass(ccxt.mexc, ccxt.Exchange) and ccxt.mexc().id == "mexc"
assert ccxt.mexc is __import__("importlib").import_module("ccxt.mexc").mexc
assert {"binance", "mexc", "kraken"} <= set(ccxt.exchanges) and issubclass(ccxt.RequestTimeout, ccxt.BaseError)
try:
    ccxt.nowhere
except AttributeError as error:
    assert "nowhere" in str(error)
else:
    raise AssertionError("a venue that is none")
"""


def _runs(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stream_loads_its_own_venue_alone() -> None:
    _runs(STREAM)


def test_every_name_is_the_one_that_ccxt_gives_it() -> None:
    _runs(VENUES)
