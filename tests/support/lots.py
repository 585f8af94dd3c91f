"""The suite in lots that run beside each other: a process of its own for each, and all end about together.

``python -m tests.support.lots`` prints one lot a line: its name, then its files. Every file with tests is in
exactly one (tests/arch/test_lots.py); a lot is a run of neighbours, so what a folder shares is made in few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HASTY = "tests/journey/test_conformance.py"
"""The official suite gives an answer 0.6 s: it shares the machine with one other lot only, the second."""
LONGEST = "tests/journey/test_era_matrix.py"
"""Minutes for one file: it must not begin last."""
JOURNEYS = 6
"""They wait for processes most of the time."""
OTHERS = 6
"""They compute most of the time."""


def lots() -> list[tuple[str, tuple[str, ...]]]:
    """Name and files of each, in the order in which to begin them."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py"))
    rest = [file for file in files if file not in (HASTY, LONGEST)]
    first, *journeys = _parts(
        "journey", [file for file in rest if file.startswith("tests/journey/")], JOURNEYS
    )
    others = _parts("other", [file for file in rest if not file.startswith("tests/journey/")], OTHERS)
    # In turns, so that at any time somebody waits while somebody computes.
    turns = [lot for pair in zip_longest(journeys, others) for lot in pair if lot]
    return [_alone(HASTY), first, _alone(LONGEST), *turns]


def _alone(file: str) -> tuple[str, tuple[str, ...]]:
    return Path(file).stem, (file,)


def _parts(name: str, files: Sequence[str], count: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """``files`` in their order as ``count`` parts of about the same length of text."""
    total, before = sum(map(_size, files)), 0
    parts: list[list[str]] = [[] for _ in range(count)]
    for file in files:
        parts[before * count // total].append(file)
        before += _size(file)
    return ((f"{name}-{number}", tuple(part)) for number, part in enumerate(parts, 1))


def _size(file: str) -> int:
    return (ROOT / file).stat().st_size


if __name__ == "__main__":
    for title, members in lots():
        print(title, *members)
