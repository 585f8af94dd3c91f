from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatekit.audit.recorder import MAX_RECORD, Recorder
from gatekit.audit.verify import Sound, verify
from gatekit.errors import AuditUnavailable, StoreLocked
from gatekit.model.audit import CallEvent
from tests.support.clock import ManualClock

Calls = Callable[..., CallEvent]
Open = Callable[..., Recorder]


def lines(directory: Path, writer: str = "gateway") -> list[dict[str, Any]]:
    files = sorted(directory.glob(f"{writer}-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def events(directory: Path, kind: str) -> list[dict[str, Any]]:
    return [line for line in lines(directory) if line["event"] == kind]


async def test_a_record_is_in_the_file_when_the_future_ends(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    recorder = recorder_of()
    await recorder.record(call("alice"))
    (line,) = events(directory, "call")
    assert line["principal"] == "alice"
    assert line["seq"] == 2
    assert line["writer"] == "gateway"


async def test_a_new_trail_begins_with_its_identifier(recorder_of: Open, directory: Path) -> None:
    recorder_of()
    (line,) = lines(directory)
    assert (line["event"], line["action"], line["prev"]) == ("trail", "created", "0" * 64)
    assert line["detail"].startswith("trail_")


async def test_files_are_for_the_owner_only(recorder_of: Open, directory: Path) -> None:
    directory.mkdir(mode=0o755)
    recorder_of()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


async def test_records_of_one_tick_share_one_write(
    recorder_of: Open, call: Calls, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    recorder = recorder_of(clock=clock)
    writes: list[int] = []
    write = os.write

    def counted(fd: int, data: bytes) -> int:
        writes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counted)
    first = recorder.record(call("user0"))
    assert first.done()  # nobody to share with so far, and nothing to wait for
    assert len({recorder.record(call(f"user{n}")) for n in range(1, 50)}) == 1
    await asyncio.sleep(0)
    assert len(writes) == 2
    busy = {recorder.record(call(f"user{n}")) for n in range(50, 60)}
    assert len(busy) == 1
    assert not busy.pop().done()  # the tick before had many, so this one waits for its own
    await recorder.write(call("user60"))
    assert len(writes) == 3
    clock.at += 1
    late = recorder.record(call("user61"))
    assert not late.done()  # and neither is it calm before one had a tick for itself
    await late
    clock.at += 1
    assert recorder.record(call("user62")).done()
    assert not recorder.record(call("user63")).done()  # it came right behind: there may be more
    clock.at += 1
    assert not recorder.record(call("user64")).done()  # nobody overtakes
    await recorder.write(call("user65"))
    monkeypatch.undo()
    assert len(writes) == 6
    assert [line["principal"] for line in events(directory, "call")] == [f"user{n}" for n in range(66)]
    assert verify(directory) == [Sound("gateway", 1, 67, lines(directory)[-1]["hash"])]


async def test_a_record_that_comes_by_itself_is_over_at_once(
    recorder_of: Open, call: Calls, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    recorder = recorder_of(clock=clock)
    before = recorder.record(call("alice"))
    clock.at += 1

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        lost = recorder.record(call("bob"))
    assert isinstance(lost.exception(), AuditUnavailable)
    assert recorder.trouble == "No space left on device"
    clock.at += 1
    after = recorder.record(call("carol"))
    assert before.done()
    assert after.done()
    assert before.exception() is after.exception() is None  # one that fails does not touch those beside it
    assert recorder.healthy
    assert [line["principal"] for line in events(directory, "call")] == ["alice", "carol"]
    assert events(directory, "trail")[-1]["lost"] == 1


async def test_a_cancelled_waiter_does_not_disturb_the_others(recorder_of: Open, call: Calls) -> None:
    recorder = recorder_of(clock=ManualClock())  # in which nothing comes by itself but the first
    waiting = [asyncio.create_task(recorder.write(call(f"user{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[2] is None


async def test_the_chain_goes_on_after_a_restart_and_over_segments(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    for _ in range(3):
        recorder = recorder_of(segment_bytes=2000)
        for _ in range(10):
            await recorder.write(call())
        await recorder.aclose()
    assert len(list(directory.glob("*.jsonl"))) > 3
    (finding,) = verify(directory)
    assert isinstance(finding, Sound)
    assert (finding.first, finding.last) == (1, 31)


async def test_a_second_gateway_on_the_same_directory_is_refused(recorder_of: Open, call: Calls) -> None:
    first = recorder_of()
    with pytest.raises(StoreLocked, match="another gateway uses this data directory"):
        recorder_of()
    await first.aclose()
    await recorder_of().write(call())


async def test_the_command_line_writes_beside_a_running_gateway(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    await recorder_of().write(call("alice"))
    await recorder_of(writer="cli").write(call("root"))
    assert [line["principal"] for line in lines(directory, "cli")[1:]] == ["root"]
    assert [type(finding) for finding in verify(directory)] == [Sound, Sound]


@pytest.mark.parametrize(
    "garbage", [b'{"event":"call","at":17', b"\0" * 5000, b"nonsense\n\n{}\n", b"x" * 600_000]
)
async def test_a_torn_end_is_moved_aside_and_said(
    recorder_of: Open, call: Calls, directory: Path, garbage: bytes
) -> None:
    recorder = recorder_of()
    await recorder.write(call())
    await recorder.aclose()
    (file,) = directory.glob("*.jsonl")
    whole = file.stat().st_size
    with file.open("ab") as handle:
        handle.write(garbage)
    await recorder_of().write(call("bob"))
    (torn,) = directory.glob("*.torn")
    assert torn.name == f"{file.name}.{whole}.torn"
    assert torn.read_bytes() == garbage
    (line,) = [line for line in events(directory, "trail") if line["action"] == "repaired"]
    assert line["detail"].startswith(f"{len(garbage)} bytes after record 2 ")
    assert [line["principal"] for line in events(directory, "call")] == ["alice", "bob"]
    (finding,) = verify(directory)
    assert isinstance(finding, Sound)


async def test_every_place_where_a_power_loss_may_cut_keeps_the_whole_records(
    recorder_of: Open, call: Calls, directory: Path, tmp_path: Path
) -> None:
    recorder = recorder_of()
    await recorder.write(call("one"))
    await recorder.write(call("two"))
    await recorder.aclose()
    (file,) = directory.glob("*.jsonl")
    data = file.read_bytes()
    ends = [offset for offset, byte in enumerate(data) if byte == 10]
    near = {end + step for end in ends for step in (-1, 0, 1)}
    for size in sorted({*near, *range(1, len(data), 13)}):
        cut = tmp_path / f"cut{size}"
        cut.mkdir()
        (cut / file.name).write_bytes(data[:size])
        await recorder_of(directory=cut).aclose()
        (finding,) = verify(cut)
        assert isinstance(finding, Sound)
        # A record whose line feed alone is missing is whole.
        kept = sum(1 for end in ends if size >= end)
        left = (cut / file.name).read_bytes().splitlines()[: max(kept, 0)]
        assert left == data.splitlines()[:kept]


async def test_a_crash_between_creating_and_writing_a_segment(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    recorder = recorder_of()
    await recorder.write(call())
    await recorder.aclose()
    (directory / "gateway-000000000003.jsonl").touch()
    await recorder_of().write(call())
    (finding,) = verify(directory)
    assert isinstance(finding, Sound)
    assert finding.last == 3


async def test_a_removed_file_does_not_swallow_records(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    recorder = recorder_of()
    await recorder.write(call("alice"))
    (file,) = directory.glob("*.jsonl")
    file.unlink()
    await recorder.write(call("bob"))
    assert [line["principal"] for line in events(directory, "call")] == ["bob"]
    assert events(directory, "trail")[0]["action"] == "reopened"


async def test_a_foreign_write_into_the_file_starts_a_new_segment(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    recorder = recorder_of()
    await recorder.write(call("alice"))
    (file,) = directory.glob("*.jsonl")
    with file.open("ab") as handle:
        handle.write(b"not ours\n")
    await recorder.write(call("bob"))
    assert len(list(directory.glob("*.jsonl"))) == 2
    assert recorder.healthy


async def test_text_that_is_no_text_is_recorded(recorder_of: Open, call: Calls, directory: Path) -> None:
    await recorder_of().write(call("alice", name="bad\ud800name"))
    assert events(directory, "call")[0]["name"] == "bad\\ud800name"


async def test_a_huge_name_is_shortened(recorder_of: Open, call: Calls, directory: Path) -> None:
    await recorder_of().write(call("alice", name="x" * 5_000_000))
    (file,) = directory.glob("*.jsonl")
    assert file.stat().st_size < MAX_RECORD
    assert events(directory, "call")[0]["name"].endswith("… (5000000 characters)")


async def test_nothing_is_accepted_after_closing(recorder_of: Open, call: Calls) -> None:
    recorder = recorder_of()
    await recorder.aclose()
    await recorder.aclose()
    with pytest.raises(AuditUnavailable):
        recorder.record(call())


async def test_closing_writes_what_is_waiting(recorder_of: Open, call: Calls, directory: Path) -> None:
    recorder = recorder_of(durability="disk")
    future = recorder.record(call())
    await recorder.aclose()
    assert future.done()
    assert len(events(directory, "call")) == 1


# -- durability: disk --------------------------------------------------------------------------------------


async def test_on_disk_nobody_is_told_before_the_flush(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    order: list[str] = []

    def sync(fd: int) -> None:
        os.fdatasync(fd)
        order.append("flushed")

    recorder = recorder_of(durability="disk", sync=sync)
    await recorder.write(call())
    order.append("told")
    assert order == ["flushed", "told"]


async def test_what_arrives_during_a_flush_shares_the_next(
    recorder_of: Open, call: Calls, directory: Path
) -> None:
    syncs: list[int] = []

    def slow(fd: int) -> None:
        syncs.append(os.fstat(fd).st_size)
        subprocess.run(["sleep", "0.05"], check=True)

    recorder = recorder_of(durability="disk", sync=slow)
    first = asyncio.create_task(recorder.write(call("first")))
    while not syncs:
        await asyncio.sleep(0.001)
    rest = [asyncio.create_task(recorder.write(call(f"rest{n}"))) for n in range(20)]
    await asyncio.gather(first, *rest)
    assert len(syncs) == 2
    assert len(events(directory, "call")) == 21


async def test_a_failed_flush_takes_the_batch_back(recorder_of: Open, call: Calls, directory: Path) -> None:
    medium = {"broken": True}

    def sync(fd: int) -> None:
        if medium["broken"]:
            raise OSError(5, "Input/output error")

    recorder = recorder_of(durability="disk", sync=sync)
    with pytest.raises(AuditUnavailable, match="Input/output error"):
        await recorder.write(call("alice"))
    assert recorder.trouble == "Input/output error"
    assert events(directory, "call") == []
    medium["broken"] = False
    await recorder.write(call("bob"))
    assert recorder.healthy
    assert [line["principal"] for line in events(directory, "call")] == ["bob"]
    assert events(directory, "trail")[-1]["lost"] == 1
    (finding,) = verify(directory)
    assert isinstance(finding, Sound)


# -- a full disk -------------------------------------------------------------------------------------------

FULL = """
import asyncio, logging, os, resource, sys
from pathlib import Path
from gatekit.audit.recorder import Recorder
from gatekit.errors import AuditUnavailable
from gatekit.model.audit import CallEvent
from tests.support.clock import ManualClock
from gatekit.platform.clock import SystemClock, SystemEntropy

logging.basicConfig(format="LOG %(message)s", stream=sys.stdout)
directory, how = Path(sys.argv[1]), sys.argv[2]
ballast = directory.parent / "ballast"

def event(n):
    return CallEvent(at=1.0, principal=str(n), server="s", method="m", decision="allow", outcome="ok")

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

async def main():
    recorder = Recorder(directory, writer="gateway", clock=SystemClock(), entropy=SystemEntropy())
    if how == "tmpfs":
        room = os.statvfs(directory)
        ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - 100_000))
    else:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        limit(100_000)
    safe = refused = 0
    for n in range(1000):
        try:
            await recorder.write(event(n))
            safe += 1
        except AuditUnavailable:
            refused += 1
    assert not recorder.healthy
    print("TROUBLE", recorder.trouble)
    if how == "tmpfs":
        ballast.unlink()
    else:
        limit(before)
    while not recorder.healthy:
        await asyncio.sleep(0.02)
    await recorder.write(event("after"))
    await recorder.aclose()
    print("RESULT", safe, refused)
    sys.stdout.write("".join(file.read_text() for file in sorted(directory.glob("*.jsonl"))))

asyncio.run(main())
"""
MOUNT = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
"""In a mount namespace of its own: nothing to clean up, nothing that others see."""


def ways_to_fill_a_disk() -> list[str]:
    """A real full file system where mounting is allowed, a limit on the file's size everywhere."""
    probe = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", MOUNT, "/mnt", "true"], capture_output=True, check=False
    )
    return ["rlimit", "tmpfs"] if probe.returncode == 0 else ["rlimit"]


@pytest.mark.parametrize("how", ways_to_fill_a_disk())
def test_a_full_disk_refuses_and_resumes_by_itself(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "audit"), how]
    if how == "tmpfs":
        command = ["unshare", "-Urm", "sh", "-c", MOUNT, str(tmp_path), *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    written = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    trouble = {"tmpfs": "No space left on device", "rlimit": "File too large"}[how]
    assert said[0].startswith(f"LOG audit trail cannot be written ({trouble})")
    assert said[1] == f"TROUBLE {trouble}"
    assert said[2].startswith("LOG audit trail can be written again")
    safe, refused = (int(word) for word in said[3].split()[1:])
    assert len(said) == 4
    assert safe > 100
    assert safe + refused == 1000
    # Exactly what was acknowledged is in the file, and the file says how many were not.
    kept = [line["principal"] for line in written if line["event"] == "call"]
    assert kept == [*(str(n) for n in range(safe)), "after"]
    assert (written[-2]["action"], written[-2]["lost"]) == ("resumed", refused)
    if how == "rlimit":
        (finding,) = verify(tmp_path / "audit")
        assert isinstance(finding, Sound)


async def test_no_room_on_the_file_system(
    recorder_of: Open, call: Calls, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a full disk does at the system calls: a short write, ENOSPC, no free blocks."""
    recorder = recorder_of()
    write, room = os.write, os.fstatvfs(1)
    full = True

    def limited(fd: int, data: bytes | memoryview) -> int:
        if not full or len(data) < 50:
            return write(fd, data)
        if isinstance(data, memoryview):
            raise OSError(28, "No space left on device")
        return write(fd, data[:100])

    class NoRoom:
        f_bavail = 0
        f_frsize = 4096

    monkeypatch.setattr(os, "write", limited)
    monkeypatch.setattr(os, "fstatvfs", lambda fd: NoRoom if full else room)
    for _ in range(3):
        with pytest.raises(AuditUnavailable, match="No space left"):
            await recorder.write(call("alice"))
    assert (recorder.healthy, recorder.trouble) == (False, "No space left on device")
    (file,) = directory.glob("*.jsonl")
    assert file.read_bytes().count(b"\n") == 1
    assert file.read_bytes().endswith(b"\n")
    full = False
    await recorder.write(call("bob"))
    assert recorder.healthy
    monkeypatch.undo()
    assert [line.get("lost") for line in events(directory, "trail")] == [None, 3]
