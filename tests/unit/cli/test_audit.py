from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatekit.audit.recorder import Recorder
from gatekit.cli.audit import audit
from gatekit.model.audit import AdminEvent, AuditEvent, CallEvent, DoorRefused, SignIn, TokenEvent
from gatekit.platform.clock import SystemClock, SystemEntropy

AT = 1_793_525_400.5  # 2026-11-01 09:30:00 UTC
EVENTS: list[AuditEvent] = [
    SignIn(at=AT, principal="alice", connection="local", outcome="ok"),
    TokenEvent(
        at=AT, principal="alice", client="Inspector", action="issued", grant_type="authorization_code"
    ),
    CallEvent(
        at=AT + 1,
        principal="alice",
        client="Inspector",
        server="files",
        method="tools/call",
        name="read_file",
        decision="allow",
        outcome="ok",
        duration_ms=12.34,
    ),
    CallEvent(
        at=AT + 2,
        principal="bob",
        client="\x1b[31mEvil",
        server="files",
        method="tools/call",
        name="a_tool_with_a_very_long_name_indeed",
        decision="deny",
        outcome="refused",
        rule="files.users",
        reason="not in any group that may use files",
    ),
    DoorRefused(at=AT + 3, server="files", status=401, reason="token expired"),
    AdminEvent(at=AT + 4, principal="root", action="user.create", target="carol"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    async def fill() -> None:
        recorder = Recorder(
            tmp_path / "audit", writer="gateway", clock=SystemClock(), entropy=SystemEntropy()
        )
        for event in EVENTS:
            await recorder.write(event)
        await recorder.aclose()

    asyncio.run(fill())
    return tmp_path


def run(data: Path, *arguments: str) -> str:
    result = CliRunner().invoke(audit, ["--data-dir", str(data), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_tail_is_a_table_that_fits_100_columns(data: Path) -> None:
    lines = run(data, "tail", "-n", "6").splitlines()
    assert lines[0].split() == ["TIME", "(UTC)", "WHO", "CLIENT", "SERVER", "WHAT", "RESULT", "DETAIL"]
    assert lines[3].split() == [
        "11-01",
        "09:30:01",
        "alice",
        "Inspector",
        "files",
        "read_file",
        "ok",
        "12.3",
        "ms",
    ]
    assert "DENY" in lines[4]
    assert lines[4].endswith("files.users · not in any group that may use files")
    assert lines[3].find(" ok ") == lines[0].find("RESULT") - 1
    assert lines[0].find("DETAIL") < 95


def test_a_name_cannot_steer_the_terminal(data: Path) -> None:
    assert "\x1b" not in run(data, "tail")


def test_search_json_is_the_stored_line(data: Path) -> None:
    output = run(data, "search", "--user", "bob", "--denied", "--json")
    (line,) = output.splitlines()
    assert json.loads(line)["reason"] == "not in any group that may use files"
    assert line.encode() in (data / "audit" / "gateway-000000000001.jsonl").read_bytes().splitlines()


def test_search_filters(data: Path) -> None:
    assert run(data, "search", "--tool", "read_file", "--client", "Inspector").count("\n") == 2
    assert "401" in run(data, "search", "--event", "refused", "--server", "files", "--since", "2026-11-01")
    assert "no records fit" in run(data, "search", "--until", "2026-10-01", "--event", "call")
    assert run(data, "search", "--limit", "2").count("\n") == 3


def test_a_bad_time_is_a_usage_error(data: Path) -> None:
    result = CliRunner().invoke(audit, ["--data-dir", str(data), "search", "--since", "yesterday"])
    assert result.exit_code == 2
    assert "'yesterday' is no time" in result.output


def test_verify(data: Path) -> None:
    assert "ok      gateway: records 1 to 7, newest hash " in run(data, "verify")
    file = data / "audit" / "gateway-000000000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b"carol", b"carla"))
    result = CliRunner().invoke(audit, ["--data-dir", str(data), "verify"])
    assert result.exit_code == 1
    assert "line 7: the record was changed" in result.output


def test_the_data_directory_comes_from_the_configuration(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "gatekit.yaml").write_text(f"data_dir: {data}\n")
    monkeypatch.chdir(data)
    for arguments in (["tail"], ["tail", "--config", "gatekit.yaml"], ["--config", "gatekit.yaml", "tail"]):
        assert "read_file" in CliRunner().invoke(audit, arguments).output


def test_an_empty_trail(tmp_path: Path) -> None:
    assert run(tmp_path, "tail") == ""
    assert "no records yet" in run(tmp_path, "verify")
