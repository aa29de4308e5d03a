"""The only door to e-mail, Discord, Slack, ntfy, webhooks and the rest of what Apprise reaches by an address."""

from __future__ import annotations

import warnings

from apprise import Apprise, NotifyFormat
from apprise.exception import AppriseException

from notifications.ports import Refused, Unavailable
from trading.adapters import egress


def send(url: str, *, title: str, text: str) -> None:
    """Send words to one address; it raises Refused where Apprise knows no such service, without telling the address."""
    sender = Apprise()
    with warnings.catch_warnings():
        # On first use it loads its e-mail, which imports a module that Python will drop, and says so.
        warnings.simplefilter("ignore", DeprecationWarning)
        is_known = sender.add(url)
    if not is_known:
        raise Refused(f"Apprise knows no service {url.partition('://')[0]}: correct NOTIFY_URLS or FALLBACK_URLS")
    try:
        with egress.guarded() as refused:
            taken = sender.notify(title=title, body=text, body_format=NotifyFormat.TEXT)
    except (AppriseException, OSError) as error:
        raise Unavailable(type(error).__name__) from None
    if refused:
        raise Refused(
            f"{refused[0]} leads into this machine's own network: if that is meant, add it to PRIVATE_ADDRESSES"
        )
    if not taken:
        raise Unavailable(f"{url.partition('://')[0]} did not take it")
