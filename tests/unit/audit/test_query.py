from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatekit.audit.query import Filter, Record, parse_when, search, tail
from gatekit.audit.recorder import Recorder
from gatekit.errors import InvalidInput
from gatekit.model.audit import (
    CallEvent,
    ConsentGiven,
    DoorRefused,
    KeyEvent,
    SignIn,
    TokenEvent,
)

Calls = Callable[..., CallEvent]
Open = Callable[..., Recorder]


def names(records: list[Record]) -> list[str]:
    return [record.fields.get("principal", record.fields["event"]) for record in records]


def found(directory: Path, **wanted: object) -> list[Record]:
    return list(search(directory, Filter(**{"event": "call"} | wanted)))  # type: ignore[arg-type]


@pytest.fixture
async def filled(recorder_of: Open, call: Calls, directory: Path) -> Path:
    """100 calls a second apart over many segments; each tenth is bob's, each twentieth is denied."""
    recorder = recorder_of(segment_bytes=3000)
    for n in range(100):
        await recorder.write(
            call(
                "bob" if n % 10 == 0 else "alice",
                at=1000.0 + n,
                name=f"tool{n}",
                server="time" if n % 2 else "files",
                decision="deny" if n % 20 == 0 else "allow",
            )
        )
    await recorder.aclose()
    return directory


async def test_newest_first_over_all_segments(filled: Path) -> None:
    records = found(filled)
    assert [record.at for record in records] == [1000.0 + n for n in reversed(range(100))]
    assert json.loads(records[0].raw) == records[0].fields


async def test_filters(filled: Path) -> None:
    assert len(found(filled, user="bob")) == 10
    assert len(found(filled, user="usr_bob")) == 10
    assert found(filled, user="bo") == []
    assert len(found(filled, server="time")) == 50
    assert [record.at for record in found(filled, tool="tool7")] == [1007.0]
    assert len(found(filled, client="inspector")) == len(found(filled, client="cli_1")) == 100
    assert {record.at for record in found(filled, denied=True)} == {1000.0, 1020.0, 1040.0, 1060.0, 1080.0}
    assert [record.at for record in found(filled, since=1010.0, until=1012.0)] == [1011.0, 1010.0]
    assert [record.at for record in found(filled, user="alice", limit=2)] == [1099.0, 1098.0]


async def test_old_segments_are_not_read_for_since(filled: Path) -> None:
    expected = [record.at for record in found(filled, since=1090.0)]
    kept = list(filled.glob("*.times"))
    assert kept
    # With their spans known, finished files are not opened: damage them and nothing changes.
    for file in sorted(filled.glob("*.jsonl"))[:-4]:
        file.write_bytes(b"x" * file.stat().st_size)
    assert [record.at for record in found(filled, since=1090.0)] == expected


async def test_a_stale_or_foreign_times_file_is_recomputed(filled: Path) -> None:
    oldest = min(filled.glob("*.jsonl"))
    for content in (b"nonsense", b'{"size":1,"first":0,"last":0}'):
        oldest.with_name(oldest.name + ".times").write_bytes(content)
        assert len(found(filled, since=0.0)) == 100


async def test_the_command_lines_records_are_merged_by_time(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    gateway, cli = recorder_of(), recorder_of(writer="cli")
    for n in range(6):
        await (gateway if n % 2 else cli).write(call(f"user{n}", at=100.0 + n))
    assert names(found(directory)) == [f"user{n}" for n in reversed(range(6))]


async def test_denied_is_every_refusal(recorder_of: Open, call: Calls, directory: Path) -> None:
    recorder = recorder_of()
    refusals = [
        call("bob", decision="deny"),
        DoorRefused(at=1.0, status=401, reason="no token"),
        SignIn(at=1.0, principal="mallory", connection="local", outcome="refused"),
        ConsentGiven(at=1.0, decision="deny"),
        TokenEvent(at=1.0, action="reused"),
    ]
    others = [
        call("deny", name="refused"),
        SignIn(at=1.0, principal="alice", connection="local", outcome="ok"),
        TokenEvent(at=1.0, action="issued", grant_type="refused"),
    ]
    for event in (*refusals, *others):
        await recorder.write(event)
    records = list(search(directory, Filter(denied=True)))
    assert len(records) == len(refusals)
    assert all(record.refused for record in records)


async def test_server_also_finds_keys_that_are_limited_to_it(recorder_of: Open, directory: Path) -> None:
    await recorder_of().write(KeyEvent(at=1.0, action="created", key_id="key_1", servers=("files", "time")))
    assert len(list(search(directory, Filter(server="time")))) == 1
    assert list(search(directory, Filter(server="tim"))) == []


async def test_calls_behind_a_virtual_server_are_found_by_either_name(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    recorder = recorder_of()
    await recorder.write(call("alice", server="tickets", name="search", via="/s/desk/mcp", asked="find"))
    await recorder.write(call("alice", server="tickets", name="search"))
    await recorder.write(call("alice", server="notes", name="desk", via="/s/other-desk/mcp", asked="x"))
    await recorder.aclose()
    assert [r.fields["asked"] for r in found(directory, server="desk")] == ["find"]
    assert [r.fields["server"] for r in found(directory, tool="find")] == ["tickets"]
    assert len(found(directory, server="tickets", tool="search")) == 2


async def test_names_with_quotes_and_umlauts(recorder_of: Open, call: Calls, directory: Path) -> None:
    await recorder_of().write(call('jörg "x"\n', client="Z\\"))
    assert len(found(directory, user='jörg "x"\n', client="Z\\")) == 1


async def test_an_unfinished_line_is_left_out(filled: Path) -> None:
    newest = max(filled.glob("*.jsonl"))
    whole = len(found(filled))
    with newest.open("ab") as handle:
        handle.write(b'{"event":"call","at":5000,"principal":"half')
    assert len(found(filled)) == whole


def test_no_trail_yet(tmp_path: Path) -> None:
    assert list(search(tmp_path / "none", Filter())) == []
    assert list(tail(tmp_path / "none", 10)) == []


async def test_lines_longer_than_a_block(recorder_of: Open, call: Calls, directory: Path) -> None:
    recorder = recorder_of()
    for n in range(30):
        await recorder.write(call("alice", at=float(n), name="x" * 60_000))
    assert [record.at for record in found(directory)] == [float(n) for n in reversed(range(30))]


async def test_tail_ends_with_the_newest(filled: Path) -> None:
    assert [record.at for record in tail(filled, 3)] == [1097.0, 1098.0, 1099.0]


async def test_tail_follows_new_records_writers_and_segments(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    recorder = recorder_of(segment_bytes=1500)
    await recorder.write(call("before", at=1.0))
    turns = 0

    def wait() -> None:
        nonlocal turns
        turns += 1
        if turns > 50:
            raise EOFError

    following = tail(directory, 1, wait)
    assert next(following).fields["principal"] == "before"
    for n in range(8):
        await recorder.write(call(f"user{n}", at=2.0 + n))
    assert [next(following).fields["principal"] for _ in range(8)] == [f"user{n}" for n in range(8)]
    await recorder_of(writer="cli").write(call("root"))
    assert {next(following).fields.get("principal", "trail") for _ in range(2)} == {"trail", "root"}
    with pytest.raises(EOFError):
        next(following)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", -1800),
        ("2h", -7200),
        ("7d", -604800),
        ("1w", -604800),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T09:30:00Z", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ("2026-11-01T09:30:00+01:00", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: int | datetime) -> None:
    now = 1_800_000_000.0
    want = expected.timestamp() if isinstance(expected, datetime) else now + expected
    assert parse_when(text, now) == want


@pytest.mark.parametrize("text", ["", "yesterday", "7x", "-3d"])
def test_no_times(text: str) -> None:
    with pytest.raises(InvalidInput, match="write 30m"):
        parse_when(text, 0.0)
