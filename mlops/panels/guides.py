"""Panels that the same words explain whatever they show: what it is, where its numbers come from, what to do with it.

They hold no figures, so Gemini is not asked about them.
"""

from __future__ import annotations

from mlops.panels.words import Panel

_TOLD = {
    "trade": (
        "One trade",
        (
            "Everything about one trade: what was planned, what was filled, every order with its steps, and the life of its "
            "stop over the candles. Numbers come from the trade's own rows: fills and fees as the venue told them, levels as "
            "the rules set them bar by bar. R is the first risk, from entry to the first stop. Look at the note of an order "
            "where one was refused, and write down at the bottom what this trade taught."
        ),
    ),
    "decision": (
        "One decision",
        (
            "The way of one setup from the closed candle to its end: indicators, filters, advice, plan, orders. Each filter shows "
            "the value it saw and the limit of that moment, kept when it was decided and never computed anew. The first ✕ "
            "is what refused it. The replay decides again from the stored candles: a mismatch there is a fault to report."
        ),
    ),
    "revision": (
        "One revision",
        (
            "One set of parameters as it was put in force, with who did it, why, and what differs from the one before. "
            "Revisions are never changed afterwards, and each trade names the one that it was decided with. To return to it, "
            "roll back below: the page shows first what that would change."
        ),
    ),
    "change": (
        "Change parameters",
        (
            "Every parameter with its bounds and the value in force. What you enter becomes a draft, and both sets are tested "
            "on the same newest candles before anything changes; the draft comes into force if it is not worse. Change few "
            "things at once, and say why: the reason is kept for good."
        ),
    ),
    "draft": (
        "One draft",
        (
            "A change that somebody proposed, against the revision that was in force then. The track shows where the old and "
            "the new value lie between their bounds. A draft comes into force by itself where the comparison finds it not "
            "worse; otherwise it is held until somebody overrules the gate with a reason, or discards it."
        ),
    ),
    "comparison": (
        "What the comparison found",
        (
            "The set in force and the proposed one, tested over the same stored candles with the same fees and slippage. The "
            "gate passes a figure where the proposal is not worse than it may be; ✕ says by how much it failed. One window of "
            "the past proves little: start a walk-forward on Backtests before you overrule a refusal."
        ),
    ),
    "verdict": (
        "Decide",
        (
            "A draft that waits for a person. To put it in force against the gate needs a reason, is written into the audit with "
            "your name, and where two people are needed, waits for another person's consent. To discard it changes nothing "
            "in trading."
        ),
    ),
    "run": (
        "One run",
        (
            "How far this run of research is and what it came to. A worker computes it from stored candles with the rules that "
            "trade, fees and slippage included, so the same candles and parameters always give the same figures; the hash of the "
            "candles stands at the bottom. If it failed, the log says where. Look at the number of trades first: under thirty, "
            "every ratio is mostly chance."
        ),
    ),
    "curve": (
        "Equity of the run",
        (
            "The account at the end of each day, UTC, beginning with the balance that was asked for; open positions count at "
            "their price. A curve that owes its gain to one week is worth less than one that rises slowly: look at the months "
            "below."
        ),
    ),
    "drawdown": (
        "Drawdown of the run",
        (
            "How far equity stood below its highest point so far, at the end of each day. The deepest point is what one would "
            "have had to bear, the length of a valley how long. If you would have switched off in it, risk less per trade."
        ),
    ),
    "months": (
        "Months of the run",
        (
            "The return of each month against the end of the month before it, from the same daily curve. Look whether the gain is "
            "spread or comes from one month, and whether losing months have a regime in common; a single good month proves nothing."
        ),
    ),
    "tested": (
        "Trades of the run",
        (
            "Each trade that the rules would have made, with its entry, its way out and what it earned "
            "after fees. Exits within one bar are read pessimistically: the stop before a target. To find what costs, compare the "
            "ways out in the tables above."
        ),
    ),
    "stopped": (
        "Why the run did not trade",
        (
            "Which check was the first to refuse how many setups of this run. The filters are those of live trading, at the "
            "parameters of the run. If one check refuses most of everything, compare with a run where only that limit differs."
        ),
    ),
    "asked": (
        "What was asked",
        (
            "What this run was started with: pairs, days, plan, and each parameter that differs from the defaults, with the "
            "version of the code and the hash of its candles. Start a run with the same values to get the same figures, and keep "
            "a note here of what you learned."
        ),
    ),
    "compare": (
        "Compare runs",
        (
            "Two to four backtests side by side, read from their stored results; nothing is computed anew. ★ marks the best of a "
            "line. Compare only runs on the same candles: where they differ the page says so. A difference of a few trades is "
            "chance, so ask a walk-forward before you change parameters because of it."
        ),
    ),
    "curves": (
        "Returns side by side",
        (
            "Equity of each run in percent of what it began with, so that runs with different balances can be laid on one "
            "another. Look where the lines part: those are the days on which the parameters that differ mattered."
        ),
    ),
    "correlations": (
        "Correlations",
        (
            "How alike the pairs have moved: the correlation of their returns over the bars of the last scan, from -1 to 1. Pairs "
            "that move alike form a cluster, and only so many positions are allowed in one, because they would lose together. If "
            "a setup was refused for its cluster, the pair that it resembles is in the same block here."
        ),
    ),
    "states": (
        "Trading state",
        (
            "Each change of the switch: who or what halted, paused or started trading, when, and why. A halt by a limit stands here "
            "like one by a person, and stays over a restart. Halted and close-only never block an exit. To start again, look "
            "first at the reason of the newest row."
        ),
    ),
    "pauses": (
        "Pauses that a venue asked for",
        (
            "A venue that is asked too often answers with a time to wait. That pause is kept for all processes, so that none asks "
            "meanwhile; exits come first when it is over. If pauses come often, watch fewer pairs or give the account a key of "
            "its own."
        ),
    ),
    "invariants": (
        "Invariants",
        (
            "Promises about the books that must hold at every moment, such as that lots of a trade add up to its quantity and that "
            "no position is without a stop. A task checks all of them each minute from the rows alone. A broken one is a fault: "
            "the row names the trade or order, and the log at that time says what happened to it."
        ),
    ),
    "alerts": (
        "Alerts",
        (
            "What people should know of, from the moment it came up until it was over: a task of its own compares ticks, data, "
            "stops, limits and models with their thresholds. Standing ones are still true. Acknowledge an alert when you look "
            "after it, so that it is not escalated; it ends by itself when its cause does. Health says what to look at first."
        ),
    ),
    "notices": (
        "My notifications",
        (
            "How loud each kind of message is for you on Telegram: with sound, silent, or not at all. The "
            "thresholds are the same for all and are set by an operator. Nothing here changes what is "
            "recorded under Alerts."
        ),
    ),
    "audit": (
        "Audit",
        (
            "Who did or tried what, from where, and whether it was done or refused: acts on every page, by the API and by Telegram, "
            "log-ins included. Each entry holds the digest of the one before, so one that was changed or taken out breaks the "
            "chain: follow it from here. If you find an act that nobody owns up to, close that account under Users."
        ),
    ),
    "log": (
        "Log",
        (
            "What the processes of Julaba wrote, newest first, from their files on this machine; secrets are hidden. "
            "Look here for the cause of an error that Health or an alert names: filter by its time, by WARNING and above, "
            "or by the id of a request, a tick or an order, which finds everything about it in all processes."
        ),
    ),
    "users": (
        "Users",
        (
            "Who may log in and what each may do. A role includes those before it: a viewer looks, a trader halts and acts on "
            "positions, risk changes parameters and models, an admin manages people. Sessions and tokens are counted as they are valid now. Give the least that somebody "
            "needs, and close an account rather than sharing one: the audit names people."
        ),
    ),
    "security": (
        "Second step",
        (
            "Your own account. With an authenticator set up, the password alone opens nothing: a code that changes every half "
            "minute is asked for too. Recovery codes open it once each when the authenticator is lost, so keep them elsewhere. "
            "Set one up before real money is traded."
        ),
    ),
    "sessions": (
        "Sessions",
        (
            "Every browser in which you are logged in, with the address and the time of its last request, as the server saw them. "
            "End one that you do not know, then change your password: that ends all others as well."
        ),
    ),
    "tokens": (
        "Tokens",
        (
            "Ways in for programs. The value is shown once and only its hash is kept; each has a scope, an end and a bound on "
            "requests a minute. Give each program one of its own with no more than it needs, and revoke what was not used for "
            "long: that takes effect at once."
        ),
    ),
    "setup": (
        "Set-up",
        (
            "The way from the demo over paper trading to real money, in order. Each mark is computed at every look from settings, "
            "rows and stored candles, so nothing can be ticked off by hand. Do the first step that is marked ○: its text says "
            "what is missing, and the lines below it can be copied."
        ),
    ),
    "consents": (
        "Consents",
        (
            "Acts that need two people wait here for another person, where that is switched on: lifting a restriction, putting a "
            "draft in force against the gate, rolling back, and real money. The act is done in the moment of consent, and both "
            "names are kept. Read what would happen before you consent; what is not answered in time lapses."
        ),
    ),
    "chat": (
        "Chat",
        (
            "Ask in words about the system's state. An answer comes from Gemini where a key is set, else from Julaba's own rules, "
            "and is made from a snapshot of the figures that the pages show. It is text and nothing more: no answer trades, "
            "changes a parameter or calls a command. Check a figure on its page before you rely on it."
        ),
    ),
    "advice": (
        "AI report",
        (
            "What advisers said about setups, set against what became of them: taken ones by their trades, refused ones by "
            "following the price all the same. So a right refusal counts as much as a right approval. If the value of an adviser "
            "stays below zero with many cases, switch it off under Parameters; with few cases wait."
        ),
    ),
    "learned": (
        "ML report",
        (
            "Which models predict whether a setup wins, how they did out of sample, how far the market has moved from what they "
            "were trained on, and how much they may influence a decision. A model influences nothing before it has proved "
            "itself on a hundred outcomes, and loses its influence by itself when it fails. Train anew when drift is high."
        ),
    ),
}

GUIDES = {name: Panel(title=title, says=[text], data={}) for name, (title, text) in _TOLD.items()}
