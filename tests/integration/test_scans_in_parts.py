"""Large scans in parts: in any order, by any worker, through any worker's death, the result is that of one alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils.module_loading import import_string

from tests.integration.test_scanning import NOW, params, scan, sources
from trading import events, scanner, tasks
from trading.core.params import Params
from trading.models import Event, Scan, ScanRow
from trading.services import scanning

pytestmark = pytest.mark.django_db


def facts(rows: Iterable[ScanRow]) -> list[tuple[Any, ...]]:
    return [
        (row.rank, row.symbol, row.score, row.refused_by, row.reason, row.parts, row.verdicts, row.measures)
        for row in rows
    ]


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scan]:
    """Measure a scan in parts of two pairs, in the order that is asked, each part as often as it is named."""
    monkeypatch.setattr(scanning, "PART", 2)

    def run(*starts: int, **values: Any) -> Scan:
        known, asked = sources(), params(**values)
        made, is_new = scanning.begin(known, params=asked, now=NOW)
        assert is_new
        assert scanning.parts(made) == [0, 2, 4]
        ranked = [scanning.measure_part(made.pk, start, known, params=asked, now=NOW) for start in starts]
        assert sum(ranked) <= 1
        made.refresh_from_db()
        return made

    return run


def test_parts_in_any_order_and_more_than_once_make_the_scan_that_one_worker_makes(
    in_parts: Callable[..., Scan],
) -> None:
    alone = facts(scan(pair_max_correlation=0.1))
    Scan.objects.all().delete()

    made = in_parts(4, 0, 0, 2, 4, pair_max_correlation=0.1)

    assert made.finished_at == NOW
    found = facts(made.rows.order_by("rank"))
    assert [row[:4] for row in found] == [row[:4] for row in alone]
    assert json.dumps(found) == json.dumps(alone)


@pytest.mark.parametrize("most", [2, 3, 300])
def test_only_the_best_are_compared_and_the_result_is_the_same_by_whoever_ranks(
    most: int, in_parts: Callable[..., Scan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "MOST_COMPARED", most)
    alone = facts(scan())
    Scan.objects.all().delete()

    found = facts(in_parts(2, 4, 0).rows.order_by("rank"))

    assert json.dumps(found) == json.dumps(alone)
    assert sum(refused_by == "" for _, _, _, refused_by, *_ in found) <= most


class Died(BaseException):
    """What a worker's end looks like from within."""


@pytest.mark.parametrize(
    ("_case", "where", "call"),
    [
        ("before anything was measured", "_measure", 1),
        ("in a later part", "_measure", 2),
        ("measured and not written", "_judged", 1),
        ("in the middle of what is judged", "_judged", 4),
        ("before the ranking", "finish", 1),
        ("while the ranking is made", "_moves", 1),
        ("between the two writes of the ranking", "_write", 2),
        ("ranked and not told", "events.emit", 1),
    ],
)
def test_a_worker_that_dies_loses_and_doubles_nothing(
    _case: str, where: str, call: int, in_parts: Callable[..., Scan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "MOST_COMPARED", 4)
    alone = facts(scan())
    Scan.objects.all().delete()
    owner, name = (events, "emit") if where == "events.emit" else (scanning, where)
    whole, calls = getattr(owner, name), 0

    def dies(*args: Any, **values: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Died
        return whole(*args, **values)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, dies)
        with pytest.raises(Died):
            in_parts(0, 2, 4)
    late = NOW + scanning.OVERDUE
    for pk, start in scanning.lost_parts(now=late):
        scanning.measure_part(pk, start, sources(), params=params(), now=late)

    made = Scan.objects.get()
    assert made.finished_at is not None
    assert json.dumps(facts(made.rows.order_by("rank"))) == json.dumps(alone)
    assert Event.objects.filter(kind="scan").count() == 2  # of whoever scanned alone, and this one
    assert scanning.lost_parts(now=late) == []


def test_a_part_that_comes_after_the_ranking_changes_nothing(
    in_parts: Callable[..., Scan], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, late = in_parts(0, 4), NOW + scanning.PATIENCE + timedelta(minutes=1)
    whole = scanning._measure

    def ranked_meanwhile(*args: Any) -> list[Any]:
        measured = whole(*args)
        scanning.finish_late(sources(), params=params(), now=late)
        return measured

    monkeypatch.setattr(scanning, "_measure", ranked_meanwhile)

    assert not scanning.measure_part(made.pk, 2, sources(), params=params(), now=late)

    assert sorted(made.rows.values_list("rank", flat=True)) == [1, 2, 3, 4]


def test_a_ranking_is_known_from_when_it_is_written() -> None:
    written = NOW + timedelta(seconds=9)

    made = scanning.scan_with(replace(sources(), clock=lambda: written), params=params(), now=NOW)

    assert made is not None
    assert Scan.objects.get().finished_at == made.finished_at == written


def test_a_scan_is_shown_only_once_all_parts_are_there_and_ranked(in_parts: Callable[..., Scan]) -> None:
    made = in_parts(0, 2)

    assert made.finished_at is None
    assert made.rows.count() == 4
    assert scanning.lists(start=NOW, end=NOW + timedelta(days=1), count=3) == []


def test_a_lost_part_is_left_out_after_a_while(in_parts: Callable[..., Scan]) -> None:
    made = in_parts(0, 4)

    scanning.finish_late(sources(), params=params(), now=NOW + timedelta(minutes=5))
    made.refresh_from_db()
    assert made.finished_at is None

    scanning.finish_late(sources(), params=params(), now=NOW + timedelta(minutes=11))
    made.refresh_from_db()
    assert made.finished_at == NOW + timedelta(minutes=11)
    assert sorted(row.rank for row in made.rows.all()) == [1, 2, 3, 4]


def test_the_task_spreads_a_large_scan_over_tasks_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PART", 5)
    monkeypatch.setattr(scanner, "_watch", lambda made, params, now: watched.append(made.pk))
    watched: list[int] = []

    tasks.scan.delay()

    made = Scan.objects.get()
    assert made.finished_at is not None
    assert made.rows.count() == len(Params().pairs)
    assert watched == [made.pk]
    assert import_string("trading.tasks.scan_part").name == "trading.tasks.scan_part"
