from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gatekit.audit.recorder import Recorder
from gatekit.audit.verify import Broken, Sound, verify
from gatekit.model.audit import CallEvent

Calls = Callable[..., CallEvent]
Open = Callable[..., Recorder]


@pytest.fixture
async def trail(recorder_of: Open, call: Calls, directory: Path) -> Path:
    recorder = recorder_of(segment_bytes=2500)
    for n in range(20):
        await recorder.write(call(f"user{n}"))
    await recorder.aclose()
    return directory


def broken(directory: Path) -> Broken:
    (finding,) = verify(directory)
    assert isinstance(finding, Broken)
    return finding


def test_a_whole_trail(trail: Path) -> None:
    (finding,) = verify(trail)
    assert isinstance(finding, Sound)
    assert (finding.first, finding.last, len(finding.hash)) == (1, 21, 64)


def test_a_changed_record(trail: Path) -> None:
    file = min(trail.glob("*.jsonl"))
    file.write_bytes(file.read_bytes().replace(b'"user3"', b'"user4"'))
    assert (broken(trail).line, broken(trail).reason) == (5, "the record was changed")


def test_a_removed_record(trail: Path) -> None:
    file = min(trail.glob("*.jsonl"))
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert (broken(trail).line, broken(trail).reason) == (3, "record 4 follows record 2")


def test_a_removed_file_in_the_middle(trail: Path) -> None:
    sorted(trail.glob("*.jsonl"))[1].unlink()
    assert "follows record" in broken(trail).reason


def test_a_record_of_another_trail(trail: Path, recorder_of: Open) -> None:
    lines = [line for file in sorted(trail.glob("*.jsonl")) for line in file.read_bytes().splitlines()]
    other = trail.parent / "other"
    recorder_of(directory=other)
    (file,) = other.glob("*.jsonl")
    with file.open("ab") as handle:
        handle.write(lines[1] + b"\n")
    assert (broken(other).line, broken(other).reason) == (2, "the record does not follow the one before it")


def test_old_segments_may_be_archived(trail: Path) -> None:
    oldest = min(trail.glob("*.jsonl"))
    first = len(oldest.read_bytes().splitlines()) + 1
    oldest.unlink()
    (finding,) = verify(trail)
    assert isinstance(finding, Sound)
    assert finding.first == first
