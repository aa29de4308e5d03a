"""The only door to e-mail, Discord, Slack, ntfy, webhooks and the rest of what Apprise reaches by an address."""

from __future__ import annotations

import warnings

from apprise import Apprise, NotifyFormat
from apprise.attachment.memory import AttachMemory
from apprise.exception import AppriseException

from notifications.ports import File, Refused, Unavailable
from trading.adapters import egress


def send(url: str, *, title: str, text: str, file: File | None = None) -> None:
    """Send words, and a file where the service takes any, to one address.

    It raises Refused where Apprise knows no such service, without telling the address.
    """
    sender = Apprise()
    with warnings.catch_warnings():
        # On first use it loads its e-mail, which imports a module that Python will drop, and says so.
        warnings.simplefilter("ignore", DeprecationWarning)
        is_known = sender.add(url)
    if not is_known:
        raise Refused(f"Apprise knows no service {url.partition('://')[0]}: correct NOTIFY_URLS or FALLBACK_URLS")
    refused: list[str] = []
    taken = False
    try:
        with egress.guarded() as refused:
            taken = bool(
                sender.notify(title=title, body=text, body_format=NotifyFormat.TEXT, attach=_attached(sender, file))
            )
    except (AppriseException, OSError) as error:
        if not refused:
            raise Unavailable(type(error).__name__) from None
    if refused:
        raise Refused(
            f"{refused[0]} leads into this machine's own network: if that is meant, add it to PRIVATE_ADDRESSES"
        )
    if not taken:
        raise Unavailable(f"{url.partition('://')[0]} did not take it")


def _attached(sender: Apprise, file: File | None) -> AttachMemory | None:
    if file is None or not all(getattr(service, "attachment_support", False) for service in sender):
        return None
    made: AttachMemory = AttachMemory(content=file.content, name=file.name, mimetype=file.media)  # type: ignore[no-untyped-call]
    return made
