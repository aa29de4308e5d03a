"""Rules about the source that no linter knows, read from its syntax: who changes an order, who talks to whom, what is caught."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRADING = ROOT / "trading"
EXECUTION = TRADING / "services" / "execution.py"
NETWORK = ("broker", "market_data")
OTHER_ROWS = (
    *("Trade.objects", "Signal.objects", "PaperOrder.objects"),
    *("BacktestRun.objects", "ParameterDraft.objects", "Proposal.objects", "Instruction.objects"),
    # Runs, parts and trainings; an order is none of them, which types say.
    *("attempts.own", "_attempted"),
)
SENDING = ("delay", "delay_on_commit", "apply_async", "send_task")
HINTS = ("tasks.tick.apply_async", "tasks.supervise.apply_async", "group.apply_async")
"""Those of the stream, and the parts of a scan whose row was committed before: it is ranked without a lost one."""
TOO_BROAD = ("Exception", "BaseException")
RUNS_WHAT_IT_READS = {
    *("eval", "exec", "__import__", "compile", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"),
    *("pickle.load", "pickle.loads", "marshal.loads", "joblib.load", "dill.load", "dill.loads", "torch.load"),
    *("cloudpickle.load", "cloudpickle.loads", "shelve.open", "pandas.read_pickle", "pd.read_pickle"),
}
UNSAFE_MODULES = ("pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "telnetlib", "ftplib")
PRODUCT = ("trading", "dashboard", "notifications", "mlops", "julaba_site")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def sources(*, under: Path = TRADING) -> list[Path]:
    found = [path for path in sorted(under.rglob("*.py")) if "migrations" not in path.parts]
    assert len(found) > 10
    return found


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}" if path.is_relative_to(ROOT) else "example"


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for what is written so; calls and indices in between count as their function's name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return dotted(node.func)
    return node.id if isinstance(node, ast.Name) else ""


def order_status_writes(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where `order.status` is assigned, or orders are updated or made with a status."""
    for node in ast.walk(module):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            for target in [part for t in targets if t for part in ast.walk(t)]:
                if isinstance(target, ast.Attribute) and target.attr == "status" and "order" in dotted(target).lower():
                    yield where(path, node)
        if not isinstance(node, ast.Call):
            continue
        chain = dotted(node.func)
        writes = chain.rpartition(".")[2] in ("update", "create", "bulk_update", "get_or_create", "update_or_create")
        # A query that was named before may be one of orders, so it counts as one.
        of_orders = not chain.startswith(OTHER_ROWS) if chain.endswith(".update") else "rder" in chain
        if writes and of_orders and any(keyword.arg == "status" for keyword in node.keywords):
            yield where(path, node)


def network_in_transactions(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where a port is called in the body of `with transaction.atomic()`."""
    for node in ast.walk(module):
        if not isinstance(node, ast.With) or not any(dotted(i.context_expr).endswith("atomic") for i in node.items):
            continue
        for inner in (part for statement in node.body for part in ast.walk(statement)):
            if isinstance(inner, ast.Call) and set(dotted(inner.func).split(".")[:-1]) & set(NETWORK):
                yield where(path, inner)


def broad_handlers(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where everything is caught; who tidies up does so in a context."""
    for node in ast.walk(module):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or dotted(kind) in TOO_BROAD for kind in caught):
                yield where(path, node)


def sends_tasks(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where a task is sent: beat sends them, and a hint to tick speaks of no row that might be rolled back."""
    for node in ast.walk(module):
        called = dotted(node.func) if isinstance(node, ast.Call) else ""
        if called.rpartition(".")[2] in SENDING and called not in HINTS:
            yield where(path, node)


def retries_tasks(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where a task is to run again when it failed: the next tick does, after it has asked the venue."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        names = {keyword.arg for keyword in node.keywords} & {"autoretry_for", "retry_backoff"}
        if names or dotted(node.func).endswith("self.retry"):
            yield where(path, node)


def forks(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where a process is forked by hand, which would take an open database along."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and dotted(node) in ("os.fork", "os.forkpty"):
            yield where(path, node)
    if imports_of("multiprocessing", module):
        yield where(path, module)


def runs_what_it_reads(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where text or bytes become code: whoever can write them would run it here."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            has_shell = any(k.arg == "shell" and _is_true(k.value) for k in node.keywords)
            allows_pickle = any(k.arg == "allow_pickle" and _is_true(k.value) for k in node.keywords)
            if dotted(node.func) in RUNS_WHAT_IT_READS or has_shell or allows_pickle:
                yield where(path, node)
        for name in _imported(node):
            if name.split(".")[0] in UNSAFE_MODULES:
                yield where(path, node)


def swallows(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where an error is caught and nothing is done or said: not even a comment why."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for node in ast.walk(module):
        if not isinstance(node, ast.ExceptHandler):
            continue
        is_empty = all(isinstance(each, ast.Pass) or _is_dots(each) for each in node.body)
        if is_empty and not any("#" in line for line in lines[node.lineno - 1 : node.end_lineno]):
            yield where(path, node)


def shows_unescaped(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where text is marked as harmless HTML: format_html escapes what is put in."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in (
            "mark_safe",
            "SafeString",
            "SafeText",
        ):
            yield where(path, node)


def takes_every_field(path: Path, module: ast.Module) -> Iterator[str]:
    """Yield where a form or serializer takes whatever columns a model has or will have."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        if node.value.value == "__all__" and any(dotted(target) == "fields" for target in node.targets):
            yield where(path, node)


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_dots(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def imports_of(package: str, module: ast.Module) -> bool:
    return any(name.split(".")[0] == package for node in ast.walk(module) for name in _imported(node))


def _imported(node: ast.AST) -> list[str]:
    """Return the modules that a node imports."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    return [*names, node.module or ""] if isinstance(node, ast.ImportFrom) else names


def test_only_execution_changes_the_state_of_an_order() -> None:
    # The paper venue's orders are the venue's, not ours.
    paths = [path for path in sources() if path not in (EXECUTION, TRADING / "adapters" / "paper_broker.py")]

    assert [line for path in paths for line in order_status_writes(path, tree(path))] == []


def test_execution_changes_it_in_one_place() -> None:
    writes = [node for node in ast.walk(tree(EXECUTION)) if isinstance(node, ast.Call) and _updates_status(node)]

    assert len(writes) == 1


def _updates_status(node: ast.Call) -> bool:
    return dotted(node.func).endswith(".update") and any(k.arg == "status" and _is_to(k.value) for k in node.keywords)


def _is_to(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "to"


def test_no_service_asks_the_network_inside_a_transaction() -> None:
    paths = sources(under=TRADING / "services")

    assert [line for path in paths for line in network_in_transactions(path, tree(path))] == []


@pytest.mark.parametrize(
    "rule",
    [broad_handlers, runs_what_it_reads, swallows, shows_unescaped, takes_every_field],
    ids=lambda rule: rule.__name__,
)
def test_no_module_of_the_product_does_what_none_may(rule) -> None:  # type: ignore[no-untyped-def]
    paths = [path for name in PRODUCT for path in sources(under=ROOT / name)]

    assert [line for path in paths for line in rule(path, tree(path))] == []


def test_no_template_shows_unescaped_text_and_none_carries_a_script_or_style() -> None:
    templates = [path for name in PRODUCT for path in sorted((ROOT / name).rglob("templates/**/*.html"))]
    bad = re.compile(
        r"\|\s*safe\b|autoescape off|<script(?![^>]*(?:\bsrc=|application/json))|<style|\sstyle=|\son[a-z]+=|javascript:"
    )

    assert len(templates) > 20
    assert [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in templates
        for found in bad.finditer(re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8")))
    ] == []


def test_no_script_writes_html_it_did_not_get_from_us() -> None:
    scripts = sorted((ROOT / "dashboard" / "static").rglob("*.js"))
    bad = re.compile(r"\beval\(|new Function|document\.write|insertAdjacentHTML|outerHTML\s*=")

    assert len(scripts) > 5
    assert [path.name for path in scripts if bad.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("rule", [sends_tasks, retries_tasks, forks], ids=["ce_07", "ce_11", "pr_10"])
def test_no_process_of_the_product_does_what_only_beat_and_the_next_tick_may(rule) -> None:  # type: ignore[no-untyped-def]
    paths = [path for name in ("trading", "dashboard", "julaba_site") for path in sources(under=ROOT / name)]

    assert [line for path in paths for line in rule(path, tree(path))] == []


def test_only_the_adapters_named_so_import_ccxt() -> None:
    doors = {path for path in sources() if imports_of("ccxt", tree(path))}

    assert doors
    assert [str(path) for path in doors if path.parent.name != "adapters" or not path.name.startswith("ccxt_")] == []


@pytest.mark.parametrize(
    ("_case", "rule", "code"),
    [
        ("assignment", order_status_writes, "order.status = OrderStatus.FILLED"),
        ("assignment through a trade", order_status_writes, "trade.last_order.status = 'filled'"),
        ("update", order_status_writes, "Order.objects.filter(pk=1).update(status='filled')"),
        ("update of a trade's", order_status_writes, "trade.orders.filter(pk=1).update(status='filled', note='')"),
        ("update of a named query", order_status_writes, "untouched.update(status='filled')"),
        ("made finished", order_status_writes, "Order.objects.create(status='filled')"),
        ("a question", network_in_transactions, "with transaction.atomic():\n  x = context.ports.broker.find('a')"),
        ("a price", network_in_transactions, "with atomic():\n  if a:\n    ports.market_data.tickers([])"),
        ("sent", sends_tasks, "tasks.tell.delay(trade.pk)"),
        ("sent again", retries_tasks, "@shared_task(autoretry_for=(Exception,))\ndef tick(): pass"),
        ("forked", forks, "os.fork()"),
        ("forked by a library", forks, "from multiprocessing import Process"),
        ("eval", runs_what_it_reads, "eval(text)"),
        ("a pickle", runs_what_it_reads, "import pickle"),
        ("an array with pickles", runs_what_it_reads, "np.load(path, allow_pickle=True)"),
        ("yaml", runs_what_it_reads, "yaml.load(text)"),
        ("a shell", runs_what_it_reads, "subprocess.run(text, shell=True)"),
        ("swallowed", swallows, "try: x()\nexcept OSError: pass"),
        ("unescaped", shows_unescaped, "return mark_safe(text)"),
        ("every field", takes_every_field, "class Meta:\n  fields = '__all__'"),
        ("nameless", broad_handlers, "try: pass\nexcept: pass"),
        ("everything", broad_handlers, "try: pass\nexcept (ValueError, Exception): pass"),
        ("everything for a while", broad_handlers, "try: pass\nexcept BaseException:\n  raise"),
    ],
)
def test_what_breaks_a_rule_is_found(_case: str, rule, code: str) -> None:  # type: ignore[no-untyped-def]
    assert len(list(rule(Path("example.py"), ast.parse(code)))) == 1


@pytest.mark.parametrize("code", ["import ccxt", "import ccxt.pro", "from ccxt.base import errors"])
def test_every_way_to_import_is_found(code: str) -> None:
    assert imports_of("ccxt", ast.parse(code))
    assert not imports_of("ccxt", ast.parse("import trading.adapters.ccxt_client"))
