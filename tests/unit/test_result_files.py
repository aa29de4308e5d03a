"""Files of results: whole or not at all, and what is no file stays what it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.core.management import CommandError

from trading.management import result_files


def test_a_result_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("before")

    result_files.write(path, {"trades": []})

    assert json.loads(path.read_text()) == {"trades": []}
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


def test_a_link_goes_on_leading_where_it_led(tmp_path: Path) -> None:
    (tmp_path / "newest.json").symlink_to("out.json")

    for _ in range(2):
        result_files.write_bytes(tmp_path / "newest.json", b"found")

    assert (tmp_path / "newest.json").is_symlink()
    assert (tmp_path / "out.json").read_bytes() == b"found"


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    result_files.write_bytes(pipe, b"found")

    assert os.read(reader, 100) == b"found"
    assert pipe.is_fifo()
    os.close(reader)


@pytest.mark.parametrize("name", ["taken", "nowhere/out.json"])
def test_what_cannot_be_written_is_one_clear_line_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(CommandError, match=r"cannot be written .*: make room or choose another file") as caught:
        result_files.write_bytes(tmp_path / name, b"found")

    assert caught.value.returncode == 2
    assert [each.name for each in tmp_path.rglob("*")] == ["taken"]
