"""What may lie in the repository: pins, addresses, paths, words."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.arch.tree import ROOT, repository_files

# Put together at run time, so that this file does not hold what it forbids.
REGISTRY_HOSTS = tuple(
    f"{name}.{ending}"
    for name, ending in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb.debian", "org"),
    )
)
MACHINE_ROOTS = ("work", "farm", "root", "home/[a-z]+")
MACHINE_PATH = re.compile("(?:^|[^A-Za-z0-9_./-])/(?:" + "|".join(MACHINE_ROOTS) + ")/")
PINNED_LISTS = (
    "requirements/runtime.txt",
    "requirements/dev.txt",
    "src/gatekit/demo/servers/node.txt",
    "src/gatekit/demo/servers/requirements.txt",
)
NPM_FOLDERS = ("tests/clients/peers", "src/gatekit/demo/servers")


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in repository_files():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            found.append((path.relative_to(ROOT), data.decode("utf-8", "replace")))
    return found


def test_no_registry_address_anywhere() -> None:
    found = [f"{path}: {host}" for path, text in texts() for host in REGISTRY_HOSTS if host in text]
    assert not found


def test_no_path_of_a_machine_anywhere() -> None:
    found = [
        f"{path}:{number} {line.strip()[:80]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found


def test_every_document_names_the_distribution_right() -> None:
    """Another product owns ``gatekit`` on the package index; ours is gatekit-mcp."""
    wrong = re.compile(r"(?:pipx?|uv|uvx|uv pip|uv tool) install +(?:-\S+ +)*gatekit(?!-mcp)\b")
    found = [f"{path}" for path, text in texts() if path.suffix != ".py" and wrong.search(text)]
    assert not found


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for path, text in texts():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            local = "://" not in target and not target.startswith("mailto:")
            if local and not (ROOT / path.parent / target).exists():
                broken.append(f"{path}: {target}")
    assert not broken


@pytest.mark.parametrize("name", PINNED_LISTS)
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|index-url|find-links|^\s*#", text, re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for wanted, name in (
        (project["dependencies"], "requirements/runtime.txt"),
        (project["dependencies"] + project["optional-dependencies"]["dev"], "requirements/dev.txt"),
    ):
        pinned = {
            line.split("==")[0].split("[")[0]
            for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
            if "==" in line
        }
        for requirement in wanted:
            package = re.split(r"[<>=!\[; ]", requirement)[0].lower().replace("_", "-").replace(".", "-")
            assert package in pinned, f"{package} is missing in {name}: run scripts/requirements"


@pytest.mark.parametrize("folder", NPM_FOLDERS)
def test_npm_locks_hold_hashes_and_no_address(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    declared = json.loads((ROOT / folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert lock["packages"][""]["dependencies"] == declared
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
        assert not name or "integrity" in package, name
    assert all(re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", version) for version in declared.values())


def test_tests_and_demonstration_use_the_same_servers() -> None:
    peers, demo = (
        json.loads((ROOT / folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
        for folder in NPM_FOLDERS
    )
    assert {name: peers[name] for name in demo} == demo


def test_tests_are_never_skipped_and_never_guess() -> None:
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"skip", "skipif", "xfail", "importorskip"}:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.attr}")
            if (
                isinstance(node, ast.Assert)
                and isinstance(node.test, ast.Constant)
                and node.test.value is True
            ):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} assert True")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} time.sleep: poll with a deadline")
    assert not found


def test_scripts_can_be_run() -> None:
    for path in [*sorted((ROOT / "scripts").iterdir()), ROOT / ".ci" / "run"]:
        if path.is_file():
            assert path.stat().st_mode & 0o111, path
            assert path.read_text(encoding="utf-8").startswith("#!"), path
