"""The panels of the system itself: processes, comparisons with the venue, the journal, and what the AI answered."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from mlops.gemini import budget
from mlops.gemini.prompts import Value, number
from mlops.panels.words import Panel, count, listed, percent, spaced, span
from trading import selectors
from trading.core.advising import AI
from trading.models import Advice, ReconcileRun

LATE_TICK, LATE_DATA = timedelta(seconds=30), timedelta(minutes=2)
RUNS, EVENTS, ADVICES = 20, 50, 50


def health(now: datetime) -> Panel:
    bot, signs = selectors.bot(), selectors.signs()
    says = ["Each line is one check, in the order in which one looks for a cause."]
    tick = now - bot.last_tick_at if bot and bot.last_tick_at else None
    data_age = now - bot.data_at if bot and bot.data_at else None
    if tick is None:
        says.append("No tick has run yet, so nothing is traded.")
    elif bot is not None and not bot.is_replaying:
        late = " That is late: nothing is followed meanwhile." if tick > LATE_TICK else " It is due every two seconds."
        says.append(f"The last tick ran {span(tick)} ago.{late}")
        if data_age is not None and data_age > LATE_DATA:
            says.append(f"Prices are {span(data_age)} old, so nothing is entered.")
    if signs.comparison is not None:
        agrees = "agreed" if signs.comparison.passed else "did not agree"
        says.append(f"Our books and the venue's {agrees} {span(now - signs.comparison.at)} ago.")
    broken = len(signs.invariants.violations) if signs.invariants else 0
    if signs.invariants is not None:
        held = "all hold" if not broken else f"{broken} {'is' if broken == 1 else 'are'} broken"
        says.append(f"Of {signs.invariants.checked} promises about the books, checked each minute, {held}.")
    if signs.unprotected:
        says.append(f"Look at this first: {count(signs.unprotected, 'position')} without a sure stop.")
    data: dict[str, Value] = {
        "seconds_since_tick": int(tick.total_seconds()) if tick is not None else None,
        "seconds_since_price": int(data_age.total_seconds()) if data_age is not None else None,
        "comparison_passed": signs.comparison.passed if signs.comparison else None,
        "broken_promises": broken,
        "unprotected_positions": signs.unprotected,
    }
    return Panel(title="Health", says=says, data=data)


def reconciliation(now: datetime) -> Panel:
    runs, title = list(ReconcileRun.objects.order_by("-at", "-pk")[:RUNS]), "Comparisons"
    if not runs:
        says = [
            "Our books are compared with the venue's before anything is entered, then every 30 s; none was made yet."
        ]
        return Panel(title=title, says=says, data={})
    failed = [run for run in runs if not run.passed]
    newest = runs[0]
    says = [
        (
            f"Each row is a comparison of our orders, executions and positions with the venue's. The newest, "
            f"{span(now - newest.at)} ago, {'found no difference' if newest.passed else 'needs people'}."
        ),
        f"Of the last {len(runs)}, {len(failed)} did not pass." if failed else f"The last {len(runs)} all passed.",
    ]
    if not newest.passed:
        kinds = Counter(str(each.get("kind", "")) for each in newest.differences)
        if kinds:
            says.append(
                f"It differs in {listed([spaced(kind) for kind in kinds])}; nothing is entered until that is settled."
            )
    data: dict[str, Value] = {"comparisons": len(runs), "not_passed": len(failed), "newest_passed": newest.passed}
    return Panel(title=title, says=says, data=data)


def journal(now: datetime) -> Panel:
    events, title = selectors.events(limit=EVENTS), "Journal"
    if not events:
        return Panel(title=title, says=["What happened stands here in order; nothing has happened yet."], data={})
    kinds = Counter(event.kind for event in events)
    common = listed([f"{spaced(kind)} ({times})" for kind, times in kinds.most_common(3)])
    says = [
        f"The journal keeps every fact in order. The last {count(len(events), 'event')} reach back {span(now - events[-1].at)}.",
        f"Most are {common}.",
        f"The newest, {span(now - events[0].at)} ago: {events[0].text}",
    ]
    data: dict[str, Value] = {
        "events": len(events),
        "kinds": {kind: times for kind, times in kinds.items() if kind.isidentifier() and kind.islower()},
    }
    return Panel(title=title, says=says, data=data)


def ai(now: datetime) -> Panel:
    advices = list(Advice.objects.filter(source=AI).order_by("-at", "-pk")[:ADVICES])
    spent, title = budget.spent(now=now), "AI"
    if not advices:
        says = ["The AI's answers about setups stand here with their confidence and price; it was not asked yet."]
        return Panel(title=title, says=says, data={"answers": 0})
    given = [advice for advice in advices if advice.approve is not None]
    approved = sum(bool(advice.approve) for advice in given)
    says = [
        f"Of the last {count(len(advices), 'question')} about a setup, the AI answered {len(given)} and approved {approved}."
    ]
    if len(given) >= 10 and approved in (0, len(given)):
        says.append("What stands out: it always says the same, so its answers carry no information.")
    missing = [advice for advice in advices if advice.approve is None]
    if missing:
        says.append(f"{count(len(missing), 'time')} it had no opinion, most recently: {missing[0].reason}.")
    if spent.calls:
        says.append(
            f"Today it was asked {count(spent.calls, 'time')} and cost ${spent.cost:.4f} of ${spent.most_cost:.2f}."
        )
    confidences = [advice.confidence for advice in given if advice.confidence is not None]
    mean = sum(confidences) / len(confidences) if confidences else None
    if mean is not None:
        says.append(f"Its mean confidence was {percent(mean)}; the report compares it with what became of the setups.")
    data: dict[str, Value] = {
        "questions": len(advices),
        "answers": len(given),
        "approved": approved,
        "mean_confidence": number(mean, 3),
    }
    return Panel(title=title, says=says, data=data)
