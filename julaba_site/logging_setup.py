"""Lines of the log: as text for a terminal or as JSON for machines, both with ids and without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from trading import log_ids
from trading.core import redaction


class Text(logging.Formatter):
    """One line of text: moment, level, logger, message, and the ids in brackets. A traceback follows on its own lines."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return redaction.scrub(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        ids = " ".join(f"{name}={value}" for name, value in {**_of_request(), **log_ids.current()}.items())
        line = _in_one_line(super().formatMessage(record))
        return f"{line} [{ids}]" if ids else line


def json_formatter() -> logging.Formatter:
    """Return structlog's formatter: one JSON object a line, for records of logging and of structlog alike."""
    import structlog  # megabytes that a terminal need not pay for

    def with_ids(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**event, **log_ids.current()}

    def scrubbed(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        hidden: MutableMapping[str, Any] = redaction.scrub_all({key: _plain(value) for key, value in event.items()})
        return hidden

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.contextvars.merge_contextvars,
        with_ids,
    ]
    last: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        scrubbed,
        structlog.processors.JSONRenderer(),
    ]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last)


def handlers(*, log_format: str, folder: str, name: str) -> dict[str, dict[str, Any]]:
    """Return the handlers for LOGGING: standard error, and a file for each kind of process where a folder is named.

    Any number of processes may write one file: each line is one write to its end, and each process opens the file anew
    when somebody else has moved it away (logrotate).
    """
    formatter = _formatter(log_format)
    made: dict[str, dict[str, Any]] = {"stderr": {"class": "logging.StreamHandler", "formatter": formatter}}
    if folder:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True, mode=0o750)
        made["file"] = {
            "class": "julaba_site.kept_log.Watched",
            "filename": str(path / f"{name}.log"),
            "formatter": formatter,
            "delay": True,
            "encoding": "utf-8",
        }
    return made


def config(*, level: str, log_format: str, folder: str, name: str) -> dict[str, Any]:
    """Return the whole of LOGGING."""
    made = handlers(log_format=log_format, folder=folder, name=name)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        # Only the one that is used: that of JSON loads structlog, and with it megabytes.
        "formatters": {
            name: {"()": f"julaba_site.logging_setup.{maker}"}
            for name, maker in (("line", "Text"), ("json", "json_formatter"))
            if name == _formatter(log_format)
        },
        "handlers": made,
        # In an outage it logs a traceback a second; dashboard.hub says once that Redis does not answer.
        # httpx logs every address it asks, and those of Telegram hold the token.
        "loggers": {
            "channels_redis.pubsub": {"level": "CRITICAL"},
            **{quiet: {"level": "WARNING"} for quiet in ("httpx", "httpcore", "telegram", "apprise", "urllib3")},
        },
        "root": {"handlers": list(made), "level": level},
    }


def _formatter(log_format: str) -> str:
    return "json" if log_format == "json" else "line"


def _of_request() -> dict[str, Any]:
    """Return what the middleware has bound, where it runs at all: other processes never load structlog."""
    loaded = sys.modules.get("structlog.contextvars")
    return dict(loaded.get_contextvars()) if loaded else {}


def _in_one_line(text: str) -> str:
    """Return the text without signs that would begin another line or steer a terminal: a message may come from outside."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | dict | list | None) else str(value)
