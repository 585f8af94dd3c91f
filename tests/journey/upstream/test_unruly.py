"""Servers that misbehave: the call that is hit gets a clear error, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from gatekit.errors import BadAnswer, LineTooLong, LinkBusy, LinkClosed, LinkTimeout, SpawnFailed
from gatekit.model.call import Fault, Large, Notice, Question, Result, Signal
from gatekit.model.server import Server
from gatekit.upstream.reply import Reply
from tests.journey.upstream.kit import (
    CHILDREN,
    HANDSHAKE,
    Kit,
    alive,
    body,
    key,
    said,
    stdio,
    tool,
    unruly,
    until,
)

MB = 1024 * 1024


@pytest.mark.parametrize(
    ("command", "cwd", "public"),
    [
        (("no-such-command-anywhere",), None, "the command was not found"),
        ((str(CHILDREN / "echo.py"),), None, "the command may not be executed"),
        (("true",), "/no/such/folder", "the working directory cannot be entered"),
    ],
)
async def test_a_command_that_cannot_start_says_why(
    kit: Kit, command: tuple[str, ...], cwd: str | None, public: str
) -> None:
    server = Server(name="unruly", command=command, cwd=cwd)
    with pytest.raises(SpawnFailed) as caught:
        await kit.pool.acquire(key(), server, HANDSHAKE)
    assert caught.value.public == public
    assert kit.actions() == ["failed"]


@pytest.mark.parametrize(
    ("mode", "code", "says"),
    [("crash_at_once", 7, "cannot find my configuration file"), ("exit_zero", 0, ""), ("nonsense", 2, "")],
)
async def test_a_server_that_exits_at_once_says_how(kit: Kit, mode: str, code: int, says: str) -> None:
    with pytest.raises(SpawnFailed, match=f"exited with code {code}") as caught:
        await kit.pool.acquire(key(), unruly(mode), HANDSHAKE)
    # The last words are for the operator, not for whoever called.
    assert says in caught.value.detail
    assert not says or says not in caught.value.public
    assert says in kit.events[-1].detail


async def test_repeated_failures_back_off_and_say_when_the_next_try_is(kit: Kit) -> None:
    for scope in ("session:1", "session:2", "session:3"):
        with pytest.raises(SpawnFailed, match="exited with code 7"):
            await kit.pool.acquire(key(scope), unruly("crash_at_once"), HANDSHAKE)
    begun = time.monotonic()
    with pytest.raises(SpawnFailed) as caught:
        await kit.pool.acquire(key("session:4"), unruly("crash_at_once"), HANDSHAKE)
    assert caught.value.public == "the server failed; the next start is tried in 2 s"
    assert time.monotonic() - begun < 0.5
    assert 1.0 < caught.value.retry_after <= 2.0
    assert "cannot find my configuration file" in caught.value.detail


async def test_a_server_that_hangs_at_start_is_given_up(kit: Kit) -> None:
    with pytest.raises(SpawnFailed, match=r"no answer to initialize within 0\.3 s"):
        await kit.pool.acquire(key(), unruly("hang", start_timeout=0.3), HANDSHAKE)
    await until(lambda: kit.pool.stats()["ending"] == 0)
    assert not alive(kit.events[-1].pid)


async def test_an_unknown_protocol_version_is_refused(kit: Kit) -> None:
    with pytest.raises(SpawnFailed, match="2099-01-01"):
        await kit.pool.acquire(key(), unruly("future"), HANDSHAKE)


async def test_a_crash_fails_the_calls_that_wait_at_once_and_the_next_call_starts_anew(kit: Kit) -> None:
    server = unruly()
    link = await kit.pool.acquire(key(), server, HANDSHAKE)
    first = said(await link.call("tools/call", tool("pid")))
    begun = time.monotonic()
    calls = [link.call("tools/call", tool(name)) for name in ("silent", "silent", "crash")]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert time.monotonic() - begun < 1.0
    for end in ends:
        assert isinstance(end, LinkClosed)
        assert end.public == "the server exited with code 3"
        assert "about to crash" in end.detail
    assert kit.pool.get(key()) is None
    again = await kit.pool.acquire(key(), server, HANDSHAKE)
    assert said(await again.call("tools/call", tool("pid"))) != first
    assert kit.actions() == ["started", "exited", "started"]


async def test_a_call_on_a_dead_link_fails(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    await kit.pool.stop(key(), "for the test")
    with pytest.raises(LinkClosed):
        await link.call("ping", {})


async def test_an_answer_written_before_the_exit_arrives(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    assert said(await link.call("tools/call", tool("answer_and_exit"))) == "last words"


@pytest.mark.parametrize("id_last", [False, True])
async def test_sixty_four_megabytes_pass_in_pieces_and_seventy_do_not(kit: Kit, id_last: bool) -> None:
    """I22: Sixty four megabytes pass in pieces and seventy do not."""
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    passed = await link.call("tools/call", tool("big", size=64 * MB, id_last=id_last))
    assert isinstance(passed, Result)
    assert isinstance(passed.body, Large)
    assert max(map(len, passed.body.pieces.parts)) <= 2 * MB
    assert len(said(passed)) == 64 * MB
    too_long = link.call("tools/call", tool("big", size=70 * MB, id_last=id_last))
    after = link.call("tools/call", tool("echo", text="next in line"))
    with pytest.raises(LineTooLong, match="the limit is"):
        await too_long
    assert said(await after) == "next in line"


async def test_the_cap_is_a_setting(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(max_line_bytes=2000, max_result_bytes=2000), HANDSHAKE)
    assert len(said(await link.call("tools/call", tool("big", size=1500)))) == 1500
    with pytest.raises(LineTooLong):
        await link.call("tools/call", tool("big", size=2500))
    assert said(await link.call("tools/call", tool("echo", text="x"))) == "x"


async def test_stray_lines_are_survived(kit: Kit) -> None:
    """I22: Stray lines are survived."""
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    other = link.call("tools/call", tool("silent"))
    assert said(await link.call("tools/call", tool("stray"))) == "still here"
    assert link.stray_lines == 5
    assert not other.done()
    other.cancel()


async def test_an_answer_that_is_no_json_fails_its_call(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    with pytest.raises(BadAnswer):
        await link.call("tools/call", tool("broken"))
    assert said(await link.call("tools/call", tool("echo", text="x"))) == "x"


async def test_a_flood_on_stderr_blocks_nobody(kit: Kit) -> None:
    """I22: A flood on stderr blocks nobody."""
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    assert said(await link.call("tools/call", tool("stderr"))) == "flooded"
    await until(lambda: stdio(link).pipes.stderr.text())
    assert len(stdio(link).pipes.stderr.text()) <= 8192


async def test_a_server_request_with_the_id_of_a_pending_call_is_no_answer(kit: Kit) -> None:
    """I7: A server request with the id of a pending call is no answer."""
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    signals: list[Signal] = []
    link.listen(signals.append)
    call = link.call("tools/call", tool("collide"))
    await until(lambda: signals)
    (question,) = signals
    assert isinstance(question, Question)
    assert question.method == "roots/list"
    assert not call.done()
    question.answer(Result({"roots": []}))
    answered = json.loads(said(await call))
    assert answered["result"] == {"roots": []}
    assert isinstance(call, Reply)
    assert answered["id"] == call.id


async def test_progress_comes_with_the_callers_token_and_keeps_a_slow_call_alive(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(call_timeout=0.3), HANDSHAKE)
    notices: list[Notice] = []
    params = {**tool("slow", steps=8), "_meta": {"progressToken": "mine"}}
    assert said(await link.call("tools/call", params, notices.append)) == "done"
    assert [notice.params for notice in notices] == [
        {"progressToken": "mine", "progress": step} for step in range(1, 9)
    ]
    assert params["_meta"] == {"progressToken": "mine"}


async def test_silence_is_a_timeout(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(call_timeout=0.3), HANDSHAKE)
    with pytest.raises(LinkTimeout, match=r"no answer or progress for 0\.3 s"):
        await link.call("tools/call", tool("silent"))
    assert said(await link.call("tools/call", tool("echo", text="x"))) == "x"


async def test_a_server_that_does_not_read_gets_no_more_and_harms_no_other(kit: Kit) -> None:
    """I22: A server that does not read gets no more and harms no other."""
    server = unruly("deaf", max_line_bytes=4 * MB)
    deaf = await kit.pool.acquire(key(), server, HANDSHAKE)
    good = await kit.pool.acquire(key("session:2"), unruly(), HANDSHAKE)
    calls = [deaf.call("tools/call", tool("echo", text="x" * MB)) for _ in range(20)]
    await asyncio.sleep(0)
    assert stdio(deaf).pipes.unwritten() < 8 * MB
    refused = [call for call in calls if call.done()]
    assert len(refused) >= 12
    for call in refused:
        assert isinstance(call.exception(), LinkBusy)
    assert said(await good.call("tools/call", tool("echo", text="fine"))) == "fine"
    # Once it is plain that it does not read at all, even small messages are refused.
    await until(lambda: deaf.call("ping", {}).done())
    for call in calls:
        call.cancel()
    await kit.pool.stop(key(), "for the test")


async def test_an_unknown_tool_is_passed_on_as_the_server_said_it(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    end = await link.call("resources/list", {})
    assert end == Fault(-32601, "Method not found")


async def test_the_environment_is_what_was_declared_and_no_more(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """T10: The environment is what was declared and no more."""
    monkeypatch.setenv("GATEKIT_TEST_SECRET", "hunter2")
    server = unruly(env=(("API_KEY", "k"),), cwd=str(tmp_path))
    link = await kit.pool.acquire(key(), server, HANDSHAKE)
    env = json.loads(said(await link.call("tools/call", tool("env"))))
    marker = env.pop("GATEKIT_LINK")
    assert marker.endswith(f".{stdio(link).child.link}")
    assert env.pop("API_KEY") == "k"
    assert set(env) - {"LC_CTYPE"} <= {"PATH", "HOME", "LANG", "TZ", "TMPDIR"}
    assert env["PATH"] == os.environ["PATH"]
    assert said(await link.call("tools/call", tool("cwd"))) == str(tmp_path)
    # 3 is the folder itself while it is being listed.
    assert said(await link.call("tools/call", tool("fds"))) == "0 1 2 3"


async def test_two_thousand_calls_at_once_do_not_cross(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    ends = await asyncio.gather(
        *(link.call("tools/call", tool("echo", text=str(number))) for number in range(2000))
    )
    assert [said(end) for end in ends] == [str(number) for number in range(2000)]


async def test_a_body_is_raw(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    end = await link.call("tools/call", tool("echo", text="é"))
    assert isinstance(end, Result)
    assert not isinstance(end.body, dict)
    assert body(end)["content"][0]["text"] == "é"
