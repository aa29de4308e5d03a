"""Questions in words: what is known of a symbol, of the market, and who answers."""

from __future__ import annotations

from notifications.commands.trades import watched
from notifications.rendering import table, text
from notifications.services import answers, outbox
from notifications.services.registry import Reply, Request, command

GROUP = "Assistant"


@command("analyze", group=GROUP, usage="SYMBOL", help="What is known of a symbol, in words")
def analyze(request: Request) -> Reply:
    symbol, contact = watched(request.args), request.caller.contact
    said = answers.assistant().analyse(
        symbol, user=contact.user, reply_to=outbox.chat(contact.chat_id), now=request.now
    )
    return Reply(title=f"Analysis of {symbol}", lines=answers.lines(said.text))


@command("intel", group=GROUP, help="A commentary on the market")
def intel(request: Request) -> Reply:
    said = answers.assistant().comment(now=request.now)
    return Reply(title="Market commentary", lines=answers.lines(said.text), is_refreshed=True)


@command("ai", group=GROUP, help="Who answers for the AI, its budget and its last answers")
def ai(request: Request) -> Reply:
    rows = answers.assistant().status(now=request.now)
    lines = text("Write anything without a / to ask about the system; answers change nothing.")
    return Reply(title="AI", lines=[*table(rows), *lines], is_refreshed=True)
