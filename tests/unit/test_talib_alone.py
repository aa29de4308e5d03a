"""TA-Lib without pandas: what every worker would otherwise load for nothing."""

from __future__ import annotations

import subprocess
import sys


def test_indicators_load_no_pandas_and_whoever_wants_it_later_gets_it() -> None:
    code = (
        "import sys, trading.core.indicators; print('pandas' in sys.modules, 'polars' in sys.modules); "
        "import pandas; print(pandas.Series([1.0]).sum())"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert said.stdout.split() == ["False", "False", "1.0"]


def test_pandas_that_is_loaded_already_stays() -> None:
    code = "import sys, pandas; kept = pandas; import trading.core.indicators; print(sys.modules['pandas'] is kept)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert said.stdout.strip() == "True"
