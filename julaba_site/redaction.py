"""Tells the log what the settings keep secret, and covers the handlers that other programs have set up before Django."""

from __future__ import annotations

import logging
import traceback

from django.conf import settings

from julaba_site import security
from trading.core import redaction


class Redact(logging.Filter):
    """Write a record's message and traceback anew without secrets; for handlers whose formatter is none of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):
            # A line whose arguments do not fit is worth more than a traceback of the logging itself.
            said = f"{record.msg} {record.args}"
        record.msg, record.args = redaction.scrub(said), None
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if record.exc_text:
            record.exc_text = redaction.scrub(record.exc_text)
        return True


def begin() -> None:
    """Hide the settings' secrets from now on, in uvicorn's and celery's own handlers too."""
    redaction.remember(security.secrets_of(settings))
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    ours = set(settings.LOGGING["handlers"])
    for handler in {handler for logger in loggers for handler in logger.handlers if handler.get_name() not in ours}:
        if not any(isinstance(each, Redact) for each in handler.filters):
            handler.addFilter(Redact())
