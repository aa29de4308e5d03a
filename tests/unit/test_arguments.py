"""What commands take: one clear line and exit code 2 for what cannot be meant."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, load_command_class

from trading.management import arguments

STRETCH = ["--symbols", "SOL/USDT", "--timeframe", "15m"]
OUT = ["--json", "out.json"]
SWEEP = [*STRETCH, "--vary", "stop_atr=1,2"]


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("backtest", [*STRETCH, *OUT, "--seed", "-1"], "argument --seed: '-1' is no whole number of 0 or more"),
        ("replay", [*STRETCH, *OUT, "--seed", "1.5"], "argument --seed: '1.5' is no whole number of 0 or more"),
        ("sweep", [*SWEEP, "--seed", "-4"], "argument --seed: '-4' is no whole number of 0 or more"),
        ("parity", [*STRETCH, "--seed", "-1"], "argument --seed: '-1' is no whole number of 0 or more"),
        ("parity", [*STRETCH, "--seed", "1", "--runs", "0"], "argument --runs: '0' is no whole number of 1 or more"),
        ("parity", [*STRETCH, "--seed", "1", "--only", "0"], "argument --only: '0' is no whole number of 1 or more"),
        ("runs", ["start", *STRETCH, "--seed", "9" * 20], "argument --seed: '99999999999999999999' is no whole number"),
        ("backtest", [*STRETCH, *OUT, "--to", "soon"], "argument --to: 'soon' is no moment: write such as 2026-03-01"),
    ],
)  # fmt: skip
def test_an_absurd_argument_is_one_line_and_exit_code_2(
    name: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = load_command_class("trading", name)
    command._called_from_command_line = True  # type: ignore[attr-defined] # what makes an error an exit code

    with pytest.raises(SystemExit) as caught:
        command.create_parser("manage.py", name).parse_args(words)

    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_moment_without_an_offset_is_utc() -> None:
    assert arguments.moment("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert arguments.moment("2026-03-01T14:30+02:00") == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def test_a_moment_before_all_years_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="is no moment"):
        arguments.moment("0001-01-01T00:00+14:00")


def test_parameters_are_given_or_drawn() -> None:
    with pytest.raises(CommandError, match="give --params or --seed") as caught:
        call_command("parity", *STRETCH, "--seed", "1", "--params", "p.json")

    assert caught.value.returncode == 2


@pytest.mark.parametrize(
    ("_case", "text", "words"),
    [
        ("no JSON", "{", "cannot be read as JSON"),
        ("a number beyond all", '{"slow_sma": 1' + "0" * 5000 + "}", "cannot be read as JSON"),
        ("too deep", "[" * 100_000, "cannot be read as JSON"),
        ("a list", "[1]", "must hold one JSON object"),
    ],
)
def test_a_file_of_parameters_that_cannot_be_read_is_one_line(
    tmp_path: Path, _case: str, text: str, words: str
) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)

    with pytest.raises(CommandError, match=words) as caught:
        arguments.read_params(path)

    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
