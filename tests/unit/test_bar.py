"""The line of progress: drawn on a terminal, absent from files, and gone when it is over."""

from __future__ import annotations

from io import StringIO

from django.core.management.base import OutputWrapper

from trading.management.bar import WIDTH, Bar


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_far_it_is_and_what_is_left() -> None:
    seen = Terminal()
    bar = Bar(OutputWrapper(seen))

    bar(1, 2)
    bar(2, 2)

    first, second = seen.getvalue().split("\r")[1:]
    half = WIDTH // 2
    assert first.startswith(f"[{'#' * half}{' ' * half}] 1 of 2, ")
    assert second.startswith(f"[{'#' * WIDTH}] 2 of 2, 0 s left")


def test_a_shorter_line_leaves_nothing_of_a_longer_one() -> None:
    seen = Terminal()
    bar = Bar(OutputWrapper(seen))

    bar(100, 1000)
    long = len(seen.getvalue().split("\r")[-1])
    bar(2, 2)
    bar.clear()

    drawn = seen.getvalue().split("\r")
    assert len(drawn[2]) == long
    assert drawn[-2:] == [" " * len(f"[{'#' * WIDTH}] 2 of 2, 0 s left"), ""]


def test_a_file_gets_nothing() -> None:
    kept = StringIO()
    bar = Bar(OutputWrapper(kept))

    bar(1, 2)
    bar.clear()

    assert kept.getvalue() == ""
