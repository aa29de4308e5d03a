"""The reports as panels: who earns and who costs, and which models speak."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mlops import selectors
from mlops.gemini.prompts import Value
from mlops.panels.words import Panel, count, listed, multiple, percent, spaced

SPAN = 30


def scorecard(now: datetime) -> Panel:
    kept, title, followed = selectors.scorecard(SPAN), "Who earns, who costs", selectors.shadows()
    if kept is None or not kept.figures["sources"]:
        says = ["Each refused setup is followed as if it had been traded; what each filter was worth will stand here."]
        return Panel(title=title, says=says, data={"being_followed": followed.open})
    sources: dict[str, Any] = kept.figures["sources"]
    worth = {name: each["value"]["r"] for name, each in sources.items() if each["tn"] + each["fn"]}
    earning = sorted(name for name, each in worth.items() if (each["low"] or 0.0) > 0)
    costing = sorted(name for name, each in worth.items() if (each["high"] or 0.0) < 0)
    ended, won = kept.figures["outcomes"], kept.figures["won"]
    first = f"Over {SPAN} days {count(ended, 'setup')} came to an end, traded or followed all the same, and {won} of them won."
    meaning = (
        "A bar is what was made with a filter less what would have been made without it; only where the whole interval "
        "lies on one side of zero can its use be told from chance."
    )
    says = [first, meaning]
    if earning:
        says.append(f"What earns for sure: {listed([spaced(name) for name in earning])}.")
    if costing:
        says.append(f"What stands out, for it costs: {listed([spaced(name) for name in costing])}.")
    if (ai := sources.get("ai")) is not None:
        says.append(f"The AI approved {percent(ai['approval'])} and was worth {multiple(ai['value']['r']['actual'])}.")
    data: dict[str, Value] = {
        "outcomes": kept.figures["outcomes"],
        "won": kept.figures["won"],
        "sources_that_earn": len(earning),
        "sources_that_cost": len(costing),
        "ai_value_r": round(ai["value"]["r"]["actual"], 2) if ai else None,
        "ai_accuracy": round(ai["accuracy"], 3) if ai else None,
    }
    return Panel(title=title, says=says, data=data)


def models(now: datetime) -> Panel:
    says, data = [], dict[str, Value]()
    for each in selectors.models():
        name, held = "predictor" if each.kind == "predictor" else "regime model", each.champion
        if held is None:
            says.append(f"There is no {name} that beats the base rate, so it has no opinion.")
        else:
            says.append(f"The {name} {held.number} may move a decision by {percent(held.influence)}.")
        data[f"{each.kind}_influence"] = round(held.influence, 3) if held else 0.0
        if each.drift is not None and each.drift.alerts:
            says.append(f"What stands out: {'; '.join(each.drift.alerts)}.")
    says.append("A model is judged on setups it was not trained on; one that does not beat the base rate is refused.")
    return Panel(title="Models", says=says, data=data)
