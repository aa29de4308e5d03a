"""The first words: what there is to ask, and who one is."""

from __future__ import annotations

from notifications.rendering import Line, text
from notifications.services.registry import COMMANDS, Reply, Request, command

GROUP = "Start"


@command("start", group=GROUP, help="A greeting and the list of commands")
@command("help", group=GROUP, help="The list of commands that your role may use")
def show_help(request: Request) -> Reply:
    groups: dict[str, list[Line]] = {}
    for name, known in COMMANDS.items():
        if request.caller.may(known.role):
            asked = f"/{name} {known.usage}".rstrip()
            groups.setdefault(known.group, []).append(Line(f"{asked} - {known.help}"))
    lines = [line for group, members in groups.items() for line in (Line(""), Line(f"{group}:"), *members)]
    return Reply(title="What you can ask", lines=lines[1:])


@command("whoami", group=GROUP, help="Your numbers and your role here")
def whoami(request: Request) -> Reply:
    contact = request.caller.contact
    return Reply(
        title="Who you are",
        lines=text(
            f"User {contact.telegram_user_id} in chat {contact.chat_id}: "
            f"{contact.user.get_username()}, {request.caller.role}."
        ),
    )
