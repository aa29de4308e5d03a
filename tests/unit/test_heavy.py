"""Places for heavy work: a machine has so many, and a process that dies leaves its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from trading.services import heavy


def test_a_machine_with_one_place_does_one_job_at_a_time(tmp_path: Path) -> None:
    with heavy.place(tmp_path, places=1) as first, heavy.place(tmp_path, places=1) as second:
        held = (first, second)
    with heavy.place(tmp_path, places=1) as third:
        pass

    assert held == (True, False)
    assert third


def test_more_places_are_given_one_after_the_other(tmp_path: Path) -> None:
    with (
        heavy.place(tmp_path, places=2) as first,
        heavy.place(tmp_path, places=2) as second,
        heavy.place(tmp_path, places=2) as third,
    ):
        assert (first, second, third) == (True, True, False)


def test_a_process_that_is_killed_leaves_its_place(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from trading.services import heavy\n"
        "with heavy.place(Path(sys.argv[1]), places=1) as is_ours:\n"
        "    print(is_ours, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with heavy.place(tmp_path, places=1) as while_it_works:
            pass
        other.kill()
        other.wait()
        with heavy.place(tmp_path, places=1) as afterwards:
            pass

    assert (while_it_works, afterwards) == (False, True)
