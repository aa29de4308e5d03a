"""The panels of what people steer: parameters, the pairs that are traded, and runs of research."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from mlops.gemini.prompts import Value
from mlops.panels.words import Panel, count, listed, spaced, span
from trading import selectors
from trading.core.params import Params
from trading.models import BacktestRun, DraftStatus, ParameterDraft, RunStatus

RUNS = 20
UNDECIDED = (DraftStatus.WAITING, DraftStatus.HELD)


def parameters(now: datetime) -> Panel:
    revision, title = selectors.revision(), "Parameters"
    if revision is None:
        says = ["What trading goes by stands here; nothing was changed yet, so every value is its default."]
        return Panel(title=title, says=says, data={})
    usual, values = Params().as_json(), selectors.params().as_json()
    changed = [name for name, value in values.items() if value != usual[name]]
    waiting = ParameterDraft.objects.filter(status__in=UNDECIDED).count()
    says = [
        f"Revision {revision.number} has been in force for {span(now - revision.created_at)}; every tick reads it.",
        f"{count(len(changed), 'value')} of {len(values)} {'differs' if len(changed) == 1 else 'differ'} from the defaults.",
    ]
    if revision.changes:
        says.append(f"It changed {listed([spaced(str(each['name'])) for each in revision.changes[:5]])}.")
    if waiting:
        says.append(f"{count(waiting, 'draft')} {'waits' if waiting == 1 else 'wait'} for a comparison or a decision.")
    data: dict[str, Value] = {"revision": revision.number, "changed_values": len(changed), "open_drafts": waiting}
    return Panel(title=title, says=says, data=data)


def pairs(now: datetime) -> Panel:
    params, scan, title = selectors.params(), selectors.latest_scan(), "Pairs"
    watched, locked = len(selectors.watch_list(params)), len(selectors.locks(now=now))
    says = [f"{count(watched, 'pair')} {'is' if watched == 1 else 'are'} traded; the watch list is {params.watch}."]
    data: dict[str, Value] = {"watched": watched, "locked": locked}
    if scan is None or scan.finished_at is None:
        says.append("No scan has ranked the venue's pairs yet.")
    else:
        rows = list(scan.rows.order_by("rank").values_list("symbol", "refused_by"))
        passed = [symbol for symbol, refused_by in rows if not refused_by]
        says.append(
            f"The last scan, {span(now - scan.finished_at)} ago, ranked {len(rows)}: {len(passed)} passed its filters."
        )
        if passed:
            says.append(f"The best were {listed(passed[:3])}.")
        data |= {"scanned": len(rows), "passed": len(passed)}
    if locked:
        says.append(f"{count(locked, 'pair')} {'is' if locked == 1 else 'are'} locked and not entered meanwhile.")
    return Panel(title=title, says=says, data=data)


def runs(now: datetime) -> Panel:
    newest, title = list(BacktestRun.objects.order_by("-pk").defer("result")[:RUNS]), "Runs"
    if not newest:
        says = ["Backtests, sweeps and walks stand here with their progress and results; none was asked for yet."]
        return Panel(title=title, says=says, data={})
    kinds = Counter(str(run.get_kind_display()) for run in newest)
    states = Counter(run.status for run in newest)
    says = [
        (
            f"Each row is one run of research over stored bars. The last {len(newest)} are "
            f"{listed([f'{name} ({times})' for name, times in kinds.most_common(3)])}."
        ),
        f"{states[RunStatus.DONE]} are done, {states[RunStatus.FAILED]} failed.",
    ]
    if states[RunStatus.RUNNING] or states[RunStatus.QUEUED]:
        says.append(f"{states[RunStatus.RUNNING]} run now, {states[RunStatus.QUEUED]} wait for a worker.")
    data: dict[str, Value] = {"runs": len(newest), "done": states[RunStatus.DONE], "failed": states[RunStatus.FAILED]}
    return Panel(title=title, says=says, data=data)
