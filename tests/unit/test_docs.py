"""What the documents show has to run."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from trading.core import strategies
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.params import Params
from trading.models import TRANSITIONS, OrderStatus
from trading.research import simulate

ROOT = Path(__file__).parents[2]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> strategies.Strategy:
    source = re.search(r"```python\n(.*?)```", (ROOT / "docs/STRATEGIES.md").read_text(), re.DOTALL)
    assert source is not None
    (tmp_path / "my_strategies.py").write_text(source[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_strategies", raising=False)
    return strategies.load(["my_strategies.Breakout"])[0]


def some_candles() -> Candles:
    start = datetime(2026, 2, 1, tzinfo=UTC)
    return simulate.candles(seed=1, symbol="ETH/USDT", timeframe="5m", start=start, stop=start + timedelta(days=3))


def test_the_example_strategy_enters_both_ways(example: strategies.Strategy) -> None:
    candles = some_candles()

    sides = example.sides(candles, analyse(candles, Params()), Params())

    assert set(np.unique(sides)) == {-1, 0, 1}


@pytest.mark.parametrize("cut", [10, 21, 300, 777])
def test_the_example_strategy_never_looks_ahead(example: strategies.Strategy, cut: int) -> None:
    candles, params = some_candles(), Params()
    whole = example.sides(candles, analyse(candles, params), params)

    part = candles.slice(0, cut)

    assert (example.sides(part, analyse(part, params), params) == whole[:cut]).all()


@pytest.mark.parametrize("name", ["README.md", "docs/ARCHITECTURE.md", "docs/STRATEGIES.md"])
def test_every_file_that_a_document_names_is_there(name: str) -> None:
    text = (ROOT / name).read_text()

    named = re.findall(r"`((?:docs|tests|trading|dashboard|julaba_site)/[\w/]+\.(?:py|md))`", text)

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_test_that_the_table_of_faults_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/FAULTS.md").read_text()))
    written, files = set(), set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        files.add(path.stem)
        written |= set(re.findall(r"def (test_\w+)\(", path.read_text()))

    assert len(named) > 80
    assert sorted(named - written - files) == []


def diagram(kind: str) -> str:
    found = re.search(rf"```mermaid\n{kind}(.*?)```", (ROOT / "docs/ARCHITECTURE.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_diagram_shows_every_process_that_always_runs() -> None:
    source = (ROOT / "julaba_site/stack.py").read_text()
    started = {name for name, how in re.findall(r'Child\(\s*"(\w+)"(.*)', source) if "runs_once" not in how}

    shown = set(re.findall(r"<b>(\w+)</b>", diagram("flowchart")))

    # The watch runs only while somebody else is silent; database and candles are no processes.
    assert shown - {"database", "candles"} == started - {"watch"}


def test_every_step_of_an_order_that_the_diagram_shows_may_be_taken() -> None:
    steps = re.findall(r"^ +(\w+) --> (\w+)", diagram("stateDiagram-v2"), re.MULTILINE)

    assert len(steps) > 8
    assert [(a, b) for a, b in steps if b not in TRANSITIONS[OrderStatus(a)]] == []
