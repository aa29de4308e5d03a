"""Alert rules and the board: each asks for what /metrics tells, with its labels, fires where it should, and says what to read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests import factories
from tests.operate.test_metrics import NOW

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
HISTOGRAM = ("_bucket", "_sum", "_count")
GIVEN = {"job", "instance"}
"""Labels that Prometheus itself puts on everything it scrapes."""
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool (Debian: prometheus)"
)


def told_names(client: Client) -> set[str]:
    """Return every name that an expression may use, from what /metrics declares."""
    factories.bot(NOW)
    client.get("/livez")  # so that the web process has something to tell of itself
    names = {"up"}
    for line in client.get("/metrics").content.decode().splitlines():
        if found := re.match(r"# TYPE (\S+) (\S+)", line):
            ends = ("_bucket", "_sum", "_count") if found[2] == "histogram" else ("",)
            names |= {found[1] + end for end in ends}
    return names


def asked_names(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:julaba|django|process)_[a-z_]+|\bup\b", re.sub(r'"[^"]*"', "", expression)))


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana/board.json").read_text())
    return found


def test_every_rule_asks_for_what_exists_and_says_what_to_do(client: Client) -> None:
    known = told_names(client)

    assert len(rules()) >= 20
    for rule in rules():
        assert asked_names(rule["expr"]), rule["alert"]
        assert asked_names(rule["expr"]) <= known, rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "action", "runbook"}
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_every_panel_asks_for_what_exists(client: Client) -> None:
    known, expressions = (
        told_names(client),
        [t["expr"] for panel in board()["panels"] for t in panel.get("targets", [])],
    )

    assert len(expressions) > 40
    for expression in expressions:
        assert asked_names(expression), expression
        assert asked_names(expression) <= known, expression
        assert expression.count("(") == expression.count(")")


def test_panels_stand_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board()["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_a_name_that_does_not_exist_would_be_found() -> None:
    assert asked_names('rate(julaba_nonsense_total{a="up"}[5m]) > 1') == {"julaba_nonsense_total"}


def test_every_metric_of_ours_is_in_a_panel_or_a_rule(client: Client) -> None:
    ours = {name for name in told_names(client) if name.startswith("julaba_") and not name.endswith(("_sum", "_count"))}
    expressions = [t["expr"] for panel in board()["panels"] for t in panel.get("targets", [])]
    asked = {name for text in [*expressions, *(rule["expr"] for rule in rules())] for name in asked_names(text)}

    assert sorted(ours - asked) == ["julaba_reconcile_age_seconds"]  # every 30 s while ticks run, and those have a rule


def labels_of(client: Client) -> dict[str, set[str]]:
    """Return by metric the labels that it has: those of the documents, and of the web process those that a scrape shows."""
    told_names(client)
    rows = re.findall(
        r"^\| `(julaba_\w+)` \| (\w+) \| (.*?) \|", (ROOT / "docs/DEPLOYMENT.md").read_text(), re.MULTILINE
    )
    found = {"up": {"job", "instance"}}
    for name, kind, labels in rows:
        for end in HISTOGRAM if kind == "histogram" else ("",):
            found[name + end] = set(re.findall(r"`(\w+)`", labels)) | ({"le"} if end == "_bucket" else set())
    for family in text_string_to_metric_families(client.get("/metrics").content.decode()):
        for sample in family.samples:
            known = found.setdefault(sample.name, set())
            if sample.name.startswith("julaba_"):
                assert set(sample.labels) <= known, sample.name
            known |= set(sample.labels)
    return found


def unknown_labels(expression: str, known: dict[str, set[str]]) -> list[str]:
    """Return the labels that an expression matches or sums by and that none of its metrics has."""
    wrong = []
    for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", expression):
        wrong += [
            label for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers) if label not in known.get(name, set())
        ]
    told = set[str]().union(*(known.get(name, set()) for name in asked_names(expression)))
    for names in re.findall(r"\b(?:by|without|on|ignoring) \(([^)]*)\)", expression):
        wrong += [label for label in re.findall(r"\w+", names) if label not in told]
    return [label for label in wrong if label not in GIVEN]


def expressions() -> list[str]:
    panels = [target["expr"] for panel in board()["panels"] for target in panel.get("targets", [])]
    return [*panels, *(rule["expr"] for rule in rules())]


def test_every_label_that_is_asked_for_is_one_that_the_metric_has(client: Client) -> None:
    known = labels_of(client)

    assert {text: wrong for text in expressions() if (wrong := unknown_labels(text, known))} == {}
    for rule in rules():
        shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        assert shown <= set[str]().union(*(known[name] for name in asked_names(rule["expr"]))), rule["alert"]


@pytest.mark.parametrize(
    "expression",
    [
        'julaba_state{colour="red"} == 1',
        'julaba_balance{state="halted"}',
        "sum by (colour) (rate(julaba_ticks_total[5m]))",
        "sum by (outcome, colour) (rate(julaba_ticks_total[5m]))",
    ],
)
def test_a_label_that_does_not_exist_would_be_found(client: Client, expression: str) -> None:
    assert len(unknown_labels(expression, labels_of(client))) == 1


def test_every_rule_names_a_part_of_the_documents_that_is_there() -> None:
    for rule in rules():
        file, _, part = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert part in anchors, rule["alert"]


def test_every_rule_is_tried_once_where_it_fires_and_once_where_it_does_not() -> None:
    tried = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]

    assert sorted(test["name"] for test in tried) == sorted(rule["alert"] for rule in rules())
    for test in tried:
        asked = {bool(each["exp_alerts"]) for each in test["alert_rule_test"] if each["alertname"] == test["name"]}
        assert asked == {True, False}, test["name"]


@needs_promtool
def test_prometheus_takes_the_configuration_and_every_rule_fires_as_its_trial_says(tmp_path: Path) -> None:
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    config = (tmp_path / "prometheus.yml").read_text()
    token = re.search(r"credentials_file: (\S+)", config)
    assert token is not None
    (tmp_path / "token").write_text("token")
    (tmp_path / "prometheus.yml").write_text(config.replace(token[1], str(tmp_path / "token")))

    for command in (["check", "config", "prometheus.yml"], ["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):  # fmt: skip
        done = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_can_read_every_panel(tmp_path: Path) -> None:
    made = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))

    done = subprocess.run(["promtool", "check", "rules", "panels.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_can_read_what_is_told(client: Client) -> None:
    told_names(client)

    done = subprocess.run(["promtool", "check", "metrics"], input=client.get("/metrics").content, capture_output=True, timeout=60, check=False)  # fmt: skip

    # It also has opinions on names; what it cannot read is an error.
    assert b"error while linting" not in done.stderr + done.stdout
