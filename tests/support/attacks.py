"""The table of attacks in ``docs/security/attacks.md``, made from the checklist and the tests.

A test names what it tries in the first words of its docstring, ``\"\"\"C1, R4: …\"\"\"``, or in its own name,
``test_C1_code_replay_fells_…``. Nothing is imported or run: the files are read as text.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CHECKLIST = ROOT / "tests" / "attack" / "checklist.toml"
PAGE = ROOT / "docs" / "security" / "attacks.md"

SECTIONS = (
    ("C", "Authorization code and PKCE"),
    ("R", "Refresh tokens"),
    ("D", "Redirects, mix-up, metadata"),
    ("B", "Consent and browser session"),
    ("K", "Registration"),
    ("M", "Client metadata documents"),
    ("A", "Client authentication"),
    ("T", "Access tokens and the resource server"),
    ("P", "Proof of possession"),
    ("U", "People: passwords, devices, other directories"),
    ("S", "SAML"),
    ("F", "Federation"),
    ("N", "Tenants"),
    ("Q", "Quotas"),
    ("I", "Incidents of 2025 and 2026"),
)

_ID = r"[A-Z]\d{1,2}"
_DOCSTRING = re.compile(rf"({_ID}(?:, {_ID})*): ")
_BEGINS = re.compile(rf"{_ID}\b")
_NAME = re.compile(rf"test_((?:{_ID}_)+)")


class Item(NamedTuple):
    """One row of the checklist."""

    id: str
    text: str
    reason: str
    """Why it has no test; empty where there are some."""


class Attack(NamedTuple):
    """One test and the ids that it names."""

    ids: tuple[str, ...]
    path: str
    """From the root of the repository, with slashes."""
    name: str

    @property
    def title(self) -> str:
        """The test's name as words."""
        named = _NAME.match(self.name)
        return self.name[named.end() if named else len("test_") :].replace("_", " ")


def checklist() -> list[Item]:
    """Every id in the order of the file."""
    rows = tomllib.loads(CHECKLIST.read_text(encoding="utf-8"))
    return [Item(key, row["text"], row.get("reason", "")) for key, row in rows.items()]


def attacks() -> list[Attack]:
    """Every test that names an id, by path and line."""
    return [found for path in sorted((ROOT / "tests").rglob("test_*.py")) for found in _attacks_in(path)]


def _attacks_in(path: Path) -> Iterator[Attack]:
    for name, docstring in _tests_in(path):
        ids = ids_of(name, docstring)
        if ids:
            yield Attack(ids, path.relative_to(ROOT).as_posix(), name)


def _tests_in(path: Path) -> Iterator[tuple[str, str]]:
    """(name, docstring) of every test of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""


def misspelt(known: Container[str]) -> list[str]:
    """Tests whose docstring begins with an id of ``known`` in a way that is not read as one."""
    return [
        f"{path.relative_to(ROOT).as_posix()} {name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name, docstring in _tests_in(path)
        if is_misspelt(docstring, known)
    ]


def is_misspelt(docstring: str, known: Container[str]) -> bool:
    """Whether it begins with an id, and ``ids_of`` finds none there."""
    begins = _BEGINS.match(docstring)
    return begins is not None and begins[0] in known and not _DOCSTRING.match(docstring)


def ids_of(name: str, docstring: str) -> tuple[str, ...]:
    """What a test's docstring and name say it tries."""
    said = _DOCSTRING.match(docstring)
    named = _NAME.match(name)
    ids = [*(said[1].split(", ") if said else ()), *(named[1].rstrip("_").split("_") if named else ())]
    return tuple(dict.fromkeys(ids))


def by_id(found: Sequence[Attack]) -> Mapping[str, list[Attack]]:
    """The tests of each id."""
    table: defaultdict[str, list[Attack]] = defaultdict(list)
    for attack in found:
        for each in attack.ids:
            table[each].append(attack)
    return table


def page(items: Sequence[Item], found: Sequence[Attack]) -> str:
    """The whole page."""
    table = by_id(found)
    covered = sum(1 for item in items if table.get(item.id))
    lines = [
        "# Attacks",
        "",
        "What was tried against Gatekit, and the tests that try it again at every change. This page is",
        "written by `scripts/attacks` from `tests/attack/checklist.toml` and the tests; a test compares.",
        "",
        f"{covered} of {len(items)} ids have tests, {len(found)} tests in all. An id without one says why.",
    ]
    for letter, title in SECTIONS:
        lines += ["", f"## {title}", "", "| id | what is tried, what must happen | tests |", "|---|---|---|"]
        lines += [_row(item, table.get(item.id, [])) for item in items if item.id[0] == letter]
    return "\n".join(lines) + "\n"


def _row(item: Item, tests: Sequence[Attack]) -> str:
    shown = " · ".join(f"[{each.title}](../../{each.path})" for each in tests)
    text = item.text.replace("|", "\\|")
    return f"| {item.id} | {text} | {shown or '**none**: ' + (item.reason or 'a gap')} |"


def main() -> int:
    """Write the page; say which ids have nothing."""
    items, found = checklist(), attacks()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(items, found), encoding="utf-8")
    table = by_id(found)
    gaps = [item.id for item in items if not table.get(item.id) and not item.reason]
    print(
        f"✓ {PAGE.relative_to(ROOT)}: {len(found)} tests" + (f"; no test: {' '.join(gaps)}" if gaps else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
