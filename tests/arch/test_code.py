"""House rules that a machine can hold (docs/architecture.md §7)."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from tests.arch.tree import PACKAGE, ROOT, dotted, functions, imports, modules, room

MAX_FILE_LINES = 400
ONE_TREE = "errors.py"
"""The exception tree stands in one place on purpose: classes without code, and a drawing of them."""
MAX_FUNCTION_LINES = 60

BROAD_EXCEPTS = {
    # Where an unexpected exception must not pass, and why. Anything else catches what it can handle.
    "gateway/endpoint.py": "request edge: the answer is a JSON-RPC error and a log line",
    "upstream/owner.py": "Link owner: whatever happens, waiting calls get an answer and the child ends",
    "upstream/signals.py": "Link owner: a faulty sink must not end the connection of everybody on the Link",
    "upstream/pool.py": "background job: the sweep is logged and made again",
    "upstream/spares.py": "Link owner: a spare that cannot be looked after ends, and another is tried",
    "plugins/chain.py": "plugin call: whatever a hook raises is a verdict, by its entry's fail mode",
    "plugins/loader.py": "plugin load: a stranger's code that fails becomes one line with file and line",
    "cli/stdio.py": "start-up of a client's child: the client gets the reason as an answer, and an exit code",
    "tenants.py": "one tenant that cannot start or stop must not keep the others from it",
    "cli/__init__.py": "command line: one line and an exit code instead of a traceback",
}

AMBIENT = {
    "time.time": "Clock.now",
    "time.monotonic": "Clock.monotonic",
    "time.perf_counter": "Clock.monotonic",
    "datetime.now": "Clock.now",
    "datetime.datetime.now": "Clock.now",
    "datetime.utcnow": "Clock.now",
    "os.urandom": "Entropy",
}
MAY_BLOCK = {
    "audit/segments.py": "the command line waits for the lock of another writer; the gateway waits 0 s",
    "upstream/launcher_main.py": "a program of its own, without a loop",
}
AMBIENT_MODULES = {"secrets", "uuid", "random"}
INJECTED_FROM = {
    "platform/clock.py",
    "platform/vault.py",
    "upstream/launcher_main.py",  # a process of its own without an event loop; it may import nothing of ours
}

PROCESS_MODULES = {"subprocess", "multiprocessing", "pty"}
PROCESS_CALLS = re.compile(
    r"^(os\.(fork|forkpty|exec\w+|spawn\w+|posix_spawnp?|system|popen)|"
    r"asyncio\.create_subprocess_(exec|shell))$|\.subprocess_(exec|shell)$"
)
PROCESS_ROOMS = {"upstream", "demo"}

DATE_ROOMS = ("protocol/", "upstream/negotiate.py")
PROTOCOL_DATE = re.compile(r"^20\d\d-\d\d-\d\d$")


def test_files_are_short() -> None:
    long = {
        name: lines
        for name in modules()
        if (lines := len((PACKAGE / name).read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES
        and name != ONE_TREE
    }
    assert not long


def test_functions_are_short() -> None:
    long = {
        f"{name}:{node.lineno} {node.name}": length
        for name, tree in modules().items()
        for node in functions(tree)
        if not name.startswith("store/migrations/versions/")  # a schema is one long list
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert not long


def test_ruff_holds_complexity_and_import_place() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert settings["mccabe"]["max-complexity"] <= 10
    assert {"C90", "PLC0415", "BLE", "T20", "S"} <= set(settings["select"])
    excused = {code for codes in settings["per-file-ignores"].values() for code in codes}
    assert "C90" not in excused
    for name in modules():
        assert not re.search(r"#\s*noqa:.*C901", (PACKAGE / name).read_text(encoding="utf-8")), name


def test_function_level_imports_only_in_the_command_line() -> None:
    """Optional extras and CLI laziness only; the migrations' library counts as an extra."""
    found = [
        f"{name}:{inner.lineno}"
        for name, tree in modules().items()
        if room(name) not in {"cli", "__main__"}
        for node in functions(tree)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom) and not _explained(name, inner.lineno)
    ]
    assert not found


def _explained(name: str, line: int) -> bool:
    """Marked as deliberate for ruff as well."""
    text = (PACKAGE / name).read_text(encoding="utf-8").splitlines()[line - 1]
    return "# noqa: PLC0415" in text


def test_broad_excepts_only_at_named_boundaries() -> None:
    found = {
        name: node.lineno
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _broad(node)
    }
    assert set(found) == set(BROAD_EXCEPTS)  # a boundary that is gone leaves no permission behind


def _broad(handler: ast.ExceptHandler) -> bool:
    """Catches everything, and does not merely clean up and let it pass."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if not any(node is None or dotted(node) in {"Exception", "BaseException"} for node in caught):
        return False
    last = handler.body[-1]
    return not (isinstance(last, ast.Raise) and last.exc is None)


def test_every_package_opens_with_an_essay() -> None:
    for name, tree in modules().items():
        if not name.endswith("__init__.py"):
            continue
        essay = ast.get_docstring(tree) or ""
        nested = name.count("/") > 1
        assert len(essay.split()) >= (8 if nested else 25), (
            f"{name}: say what it owns, what not, who calls it"
        )


def test_packages_re_export_nothing() -> None:
    for name, tree in modules().items():
        if not name.endswith("__init__.py"):
            continue
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__":
                for alias in node.names:
                    bound = (alias.asname or alias.name).split(".")[0]
                    assert bound in used, f"{name}:{node.lineno} re-exports {bound}"
        assert "__all__" not in used, name


@pytest.mark.parametrize("statement", ["global"])
def test_no_function_rebinds_a_module_name(statement: str) -> None:
    found = [
        f"{name}:{node.lineno} {statement}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Global)
    ]
    assert not found


def test_modules_hold_no_state() -> None:
    """Mutable module-level values are allowed as tables only: named in capitals and never written to."""
    found = []
    for name, tree in modules().items():
        tables: set[str] = set()
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and _mutable(node):
                    tables.add(target.id)
                    if not target.id.strip("_").isupper() and not target.id.startswith("__"):
                        found.append(f"{name}:{node.lineno} {target.id}")
        found += [f"{name}:{line} writes to {table}" for table, line in _writes(tree, tables)]
    assert not found


def _mutable(node: ast.stmt) -> bool:
    value = getattr(node, "value", None)
    if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    return isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in {
        "dict",
        "list",
        "set",
        "defaultdict",
        "deque",
        "OrderedDict",
        "Counter",
        "ContextVar",
        "WeakValueDictionary",
        "WeakKeyDictionary",
        "Lock",
        "Event",
    }


WRITERS = {"append", "add", "update", "setdefault", "pop", "popitem", "clear", "extend", "insert", "remove"}


def _writes(tree: ast.Module, tables: set[str]) -> list[tuple[str, int]]:
    found = []
    for function in functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = dotted(node.func.value)
                if owner in tables and node.func.attr in WRITERS:
                    found.append((owner, node.lineno))
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                owner = dotted(node.value)
                if owner in tables:
                    found.append((owner, node.lineno))
    return found


def test_time_and_randomness_are_injected() -> None:
    found = []
    for name, tree in modules().items():
        if name in INJECTED_FROM or room(name) == "demo":  # the demonstration is a client, not the gateway
            continue
        found += [f"{name}:{line} {module}" for module, _, line in imports(tree) if module in AMBIENT_MODULES]
        found += [
            f"{name}:{node.lineno} {dotted(node.func)}: use {AMBIENT[dotted(node.func)]}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and dotted(node.func) in AMBIENT
        ]
    assert not found


def test_nothing_blocks_the_loop() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if name not in MAY_BLOCK and room(name) not in {"cli", "demo"}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and dotted(node.func) == "time.sleep"
    ]
    assert not found


def test_processes_start_in_upstream_only() -> None:
    found = []
    for name, tree in modules().items():
        if room(name) in PROCESS_ROOMS:
            continue
        found += [f"{name}:{line} {module}" for module, _, line in imports(tree) if module in PROCESS_MODULES]
        found += [
            f"{name}:{node.lineno} {dotted(node.func)}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and PROCESS_CALLS.search(dotted(node.func))
        ]
    assert not found


def test_protocol_dates_have_one_home() -> None:
    found = [
        f"{name}:{node.lineno} {node.value}"
        for name, tree in modules().items()
        if not name.startswith(DATE_ROOMS) and room(name) != "demo"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and PROTOCOL_DATE.match(node.value)
    ]
    assert not found


def test_the_hot_endpoint_knows_no_framework() -> None:
    for name, tree in modules().items():
        if room(name) == "gateway":
            assert not [m for m, _, _ in imports(tree) if m.split(".")[0] in {"starlette", "uvicorn"}], name


def test_nothing_prints_outside_the_command_line() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if room(name) not in {"cli", "demo", "__main__"}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and dotted(node.func) == "print"
    ]
    assert not found
