"""The parts of docs/ that are made from the code: settings, parameters, addresses, commands and metrics."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.management import get_commands, load_command_class
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string
from prometheus_client.core import Metric

from dashboard.metrics import COUNTERS, HISTOGRAMS, Julaba
from trading.core.params import SPECS

ROOT = Path(__file__).resolve().parent.parent
OURS = ("julaba_site", "trading", "mlops", "notifications", "dashboard")
METHODS = ("get", "post", "put", "patch", "delete")
FOREIGN = ("admin/",)


class NoMarks(Exception):
    """A document lacks the marks between which a part belongs."""


def parts() -> dict[str, tuple[str, Callable[[], str]]]:
    """Return every part: its name, the document that it stands in, and what makes it."""
    return {
        "settings": ("docs/CONFIGURATION.md", settings),
        "parameters": ("docs/CONFIGURATION.md", parameters),
        "pages": ("docs/API.md", pages),
        "endpoints": ("docs/API.md", endpoints),
        "telegram": ("docs/TELEGRAM.md", telegram),
        "metrics": ("docs/DEPLOYMENT.md", metrics),
        "commands": ("docs/DEPLOYMENT.md", commands),
    }


def put(text: str, *, name: str, part: str) -> str:
    """Return a document with its part replaced; NoMarks where it has none of that name."""
    begin, end = f"<!-- begin {name}: made by manage.py document -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise NoMarks(f"the marks {begin} and {end} must stand in it once")
    return pattern.sub(lambda _: f"{begin}\n\n{part.strip()}\n\n{end}", text)


def settings() -> str:
    """Return the variables of .env.example by section."""
    lines: list[str] = []
    said: list[str] = []
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"# --- (.+) ---", line):
            lines += ["", f"### {found[1]}", "", "| Variable | Default | |", "|---|---|---|"]
            said = []
        elif found := re.fullmatch(r"#([A-Z][A-Z_]*)=(.*)", line):
            if found[1].endswith("_FILE") and not said:
                lines[-1] = lines[-1].replace(
                    f"`{found[1].removesuffix('_FILE')}`", f"`{found[1].removesuffix('_FILE')}` †"
                )
                continue
            lines.append(f"| `{found[1]}` | {_code(found[2])} | {_cell(' '.join(said))} |")
            said = []
        elif line.startswith("# ") and lines:
            said.append(line[2:])
    return "\n".join(lines)


def parameters() -> str:
    lines: list[str] = []
    group = ""
    for name, spec in SPECS.items():
        if spec.group != group:
            group = spec.group
            lines += ["", f"### {group}", "", "| Parameter | Default | Unit | Range | |", "|---|---|---|---|---|"]
        default = ", ".join(spec.default) if isinstance(spec.default, tuple) else str(spec.default)
        risk = " **Risk.**" if spec.risk else ""
        lines.append(
            f"| `{name}` | {_code(default)} | {spec.unit} | {_cell(spec.range_text)} | {_cell(spec.help)}{risk} |"
        )
    return "\n".join(lines)


def endpoints() -> str:
    rows = [row for row in sorted(_addresses()) if row[0].startswith("/api/")]
    lines = ["| Address | Methods | Needs | |", "|---|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| `{path}` | {ways} | {needs} | {_cell(text)} |" for path, ways, needs, text in rows)]
    )


def pages() -> str:
    rows = [row for row in sorted(_addresses()) if not row[0].startswith("/api/")]
    lines = ["| Address | |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{path}` | {_cell(text)} |" for path, _, _, text in rows)])


def telegram() -> str:
    import_string("notifications.commands.load")()
    registered = import_string("notifications.services.registry.COMMANDS")
    lines: list[str] = []
    for group in dict.fromkeys(command.group for command in registered.values()):
        lines += ["", f"### {group}", "", "| Command | Role | |", "|---|---|---|"]
        for command in registered.values():
            if command.group == group:
                usage = f"/{command.name} {command.usage}".rstrip()
                lines.append(f"| `{usage}` | {command.role} | {_cell(command.help)} |")
    return "\n".join(lines)


def metrics() -> str:
    """Return what /metrics declares; the database that is attached needs tables and an account."""
    lines = ["| Metric | Kind | Labels | |", "|---|---|---|---|"]
    for family in Julaba().collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines.append(f"| `{name}` | {family.type} | {_labels(family)} | {_cell(family.documentation)} |")
    return "\n".join([*lines[:2], *sorted(lines[2:])])


def commands() -> str:
    lines = ["| Command | |", "|---|---|"]
    for name, app in sorted(get_commands().items()):
        if app in OURS:
            lines.append(f"| `manage.py {name}` | {_cell(load_command_class(str(app), name).help)} |")
    return "\n".join(lines)


def _labels(family: Metric) -> str:
    names = COUNTERS.get(family.name, ("", ()))[1] if family.name not in HISTOGRAMS else ()
    own: Sequence[str] = names or getattr(family, "_labelnames", ())
    return ", ".join(f"`{label}`" for label in own if label != "le")


def _addresses(patterns: Sequence[Any] | None = None, prefix: str = "/") -> Iterator[tuple[str, str, str, str]]:
    """Yield path, methods, what is needed and what it is of every address but the admin's."""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        path = str(entry.pattern)
        if isinstance(entry, URLResolver) and path not in FOREIGN:
            yield from _addresses(entry.url_patterns, prefix + path)
        elif isinstance(entry, URLPattern):
            yield (prefix + path, *_described(entry.callback))


def _described(view: Any) -> tuple[str, str, str]:
    of = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if of is None:
        return "GET", "", _first_line(inspect.unwrap(view)) or view.__name__.replace("_", " ").capitalize() + "."
    ways = [name.upper() for name in METHODS if hasattr(of, name)]
    reads, needs, scope = (str(getattr(of, name, "") or "") for name in ("reads", "needs", "scope"))
    told = [f"`{reads}` to read"] if reads else []
    told += [f"`{needs}`"] if needs and ways != ["GET"] else []
    told += [f"a token that may {scope}"] if scope and "POST" in ways else []
    listing = getattr(of, "listing", None)
    text = f"The list of {listing.name}." if listing is not None else _first_line(of) or f"{of.__name__}."
    return ", ".join(ways), ", ".join(told), text


def _first_line(thing: Any) -> str:
    """Return the first sentence that a class or function says of itself, not what it has from others."""
    said = thing.__doc__ if isinstance(thing.__doc__, str) and thing.__module__.startswith(OURS) else ""
    return said.strip().partition("\n")[0]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""
