"""Recall on labelled texts and false alarms on ordinary ones.

Ordinary texts are what lies on the machine anyway and nobody here wrote: Python's standard library and the
distribution's documentation, besides our own sources and pages. They are cut into pieces of a kilobyte, the
size of an ordinary call; a piece with a finding that is none is a false alarm. E-mail addresses and telephone
numbers in them are real ones (of authors), so those two are counted apart.
"""

from __future__ import annotations

import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from gatekit.plugins.builtin.detect import packed, readings, rules
from gatekit.plugins.builtin.detect.scanner import Scanner
from tests.support.guards import held_out, held_out_second, seen
from tests.support.guards.held_out_second_injection import TECHNIQUES
from tests.support.guards.making import Sample, samples

PIECE = 1024
REAL = frozenset(("email_address", "phone_number"))
"""In ordinary texts these are real."""
THRESHOLD = 2.0
HIDDEN_WEIGHT = 2.0
PARTS = (
    ("seen", seen, (20, 20)),
    ("held out", held_out, (20, 20)),
    ("held out, second", held_out_second, (3, 1)),
)
"""Name, corpus, samples of each template of secrets and pii: the second spells its places and numbers out."""
ROOT = Path(__file__).parents[3]


def scanner(pack: str) -> Scanner:
    """Of one built-in pack."""
    return Scanner([rules.built_in(pack)])


def missed(looking: Scanner, texts: Sequence[Sample]) -> list[Sample]:
    """Samples whose value was not found whole."""
    return [sample for sample in texts if not _found(looking, sample)]


def _found(looking: Scanner, sample: Sample) -> bool:
    start = sample.text.index(sample.secret)
    end = start + len(sample.secret)
    return any(each.start <= start and each.end >= end for each in packed.scan(looking, sample.text))


def orders_missed(looking: Scanner, orders: Sequence[str]) -> list[str]:
    """Texts with orders whose signals do not weigh enough."""
    return [text for text in orders if score(looking, text) < THRESHOLD]


def score(looking: Scanner, text: str) -> float:
    """Sum of the weights of what is seen."""
    return sum(looking.weights.get(each, HIDDEN_WEIGHT) for each in readings.signals(looking, text))


def ordinary(most: int) -> Iterator[str]:
    """Pieces of ordinary text, at most so many of each source."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for paths in (
        (
            path
            for path in library.rglob("*.py")
            if "test" not in path.parts and "site-packages" not in path.parts
        ),
        (path for path in Path("/usr/share/doc").rglob("*") if path.suffix != ".gz"),
        ROOT.joinpath("src").rglob("*.py"),
        ROOT.joinpath("docs").rglob("*.md"),
    ):
        yield from _pieces(sorted(paths), most)


def _pieces(paths: Sequence[Path], most: int) -> Iterator[str]:
    count = 0
    for path in paths[:: max(1, len(paths) // 400)]:
        try:
            text = path.read_text("utf-8") if path.is_file() else ""
        except (OSError, UnicodeDecodeError):
            continue
        for at in range(0, min(len(text), 40 * PIECE), PIECE):
            yield text[at : at + PIECE]
            count += 1
            if count >= most:
                return


def alarms(most: int) -> tuple[int, Counter[str]]:
    """(pieces looked at, detector → pieces with a false alarm)."""
    values = {name: scanner(name) for name in ("secrets", "pii")}
    orders = scanner("injection")
    counts: Counter[str] = Counter()
    total = 0
    for piece in ordinary(most):
        total += 1
        for name, looking in values.items():
            found = {each.rule for each in packed.scan(looking, piece)}
            counts[f"{name} (real)"] += bool(found & REAL)
            counts[name] += bool(found - REAL)
        counts["injection"] += score(orders, piece) >= THRESHOLD
    return total, counts


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    for part, source, each in PARTS:
        for (name, templates), many in zip(
            (("secrets", source.SECRETS), ("pii", source.PII)), each, strict=True
        ):
            made = samples(templates, 1, many)
            misses = missed(scanner(name), made)
            _print_recall(name, part, len(misses), len(made))
            if "--misses" in arguments:
                for kind, count in Counter(each.kind for each in misses).most_common():
                    print(f"           missed {kind} {count}")
        _print_recall(
            "injection", part, len(orders_missed(scanner("injection"), source.ORDERS)), len(source.ORDERS)
        )
    if "--misses" in arguments:
        _print_techniques()
    total, counts = alarms(8000)
    for name in ("secrets", "pii", "injection"):
        print(f"{name:10} false alarms {counts[name] / total:7.3%} of {total} ordinary pieces of 1 kB")
    print(f"{'pii':10} real addresses and telephone numbers in them: {counts['pii (real)']}")
    for part, calm in (("held out", held_out.CALM), ("held out, second", held_out_second.CALM)):
        for name, count in calm_alarms(calm).items():
            print(f"{name:10} {part:16} false alarms {count} of {len(calm)} texts that look like it")
    return 0


def calm_alarms(calm: Sequence[str] = held_out.CALM) -> dict[str, int]:
    """Detector → alarms among texts that only look a little like it."""
    values = {name: scanner(name) for name in ("secrets", "pii")}
    orders = scanner("injection")
    counts = {name: sum(bool(packed.scan(each, text)) for text in calm) for name, each in values.items()}
    return {**counts, "injection": sum(score(orders, text) >= THRESHOLD for text in calm)}


def _print_techniques() -> None:
    for technique, texts in TECHNIQUES:
        if count := len(orders_missed(scanner("injection"), texts)):
            print(f"           missed {technique} {count} of {len(texts)}")


def _print_recall(name: str, part: str, misses: int, total: int) -> None:
    print(f"{name:10} {part:16} recall {1 - misses / total:7.2%} of {total}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
