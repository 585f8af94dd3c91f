"""Finding out which era an upstream speaks: MCP 2026-07-28 (stdio, era detection), and the field."""

from __future__ import annotations

import json

import pytest

from gatekit.errors import SpawnFailed, StoreFull
from gatekit.model.server import Server
from tests.journey.upstream.kit import HANDSHAKE, STATELESS, Kit, child, key, said, stdio, tool, unruly


async def test_handshake_client_and_handshake_server(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    assert (link.era, link.version) == ("handshake", "2025-11-25")
    assert link.server_info == {"name": "unruly", "version": "1"}
    assert kit.memory.values == {}  # nothing was probed, so nothing is known about the other era


async def test_stateless_client_and_stateless_server(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly("modern"), STATELESS)
    assert (link.era, link.version) == ("stateless", "2026-07-28")
    assert link.server_info == {"name": "unruly", "version": "1"}
    assert link.capabilities == {"tools": {}}
    assert link.instructions == "be careful"
    assert kit.memory.era == "stateless"


async def test_an_error_to_the_probe_means_the_handshake_in_the_same_process(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), STATELESS)
    assert (link.era, link.version) == ("handshake", "2025-11-25")
    assert link.meta == {}
    assert link.calls == 2
    assert kit.memory.era == "handshake"


@pytest.mark.parametrize("mode", ["rmcp", "silent_on_discover"])
async def test_exit_or_silence_on_the_probe_costs_one_process_and_is_remembered(kit: Kit, mode: str) -> None:
    server = unruly(mode, probe_timeout=2)
    link = await kit.pool.acquire(key(), server, STATELESS)
    assert link.era == "handshake"
    assert stdio(link).child.link == "2"
    assert said(await link.call("tools/call", tool("echo", text="x"))) == "x"
    assert kit.memory.era == "handshake"
    second = await kit.pool.acquire(key("session:2"), server, STATELESS)
    assert stdio(second).child.link == "3"
    assert second.calls == 1
    assert kit.actions() == ["started", "started"]  # the probe's process is no failure


async def test_a_slow_start_is_not_taken_for_an_old_server(kit: Kit) -> None:
    server = unruly("slow_modern", probe_timeout=0.3)
    first = await kit.pool.acquire(key(), server, STATELESS)
    assert first.era == "handshake"  # it was given up on before it had started
    assert kit.memory.values == {}
    second = await kit.pool.acquire(key("session:2"), server, STATELESS)
    assert (second.era, second.calls) == ("stateless", 1)
    assert kit.memory.era == "stateless"


async def test_a_server_of_the_stateless_era_alone_serves_handshake_clients(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly("modern_only"), HANDSHAKE)
    assert link.era == "stateless"
    assert kit.memory.era == "stateless"


async def test_a_refused_handshake_may_settle_the_process_so_a_fresh_one_is_asked(kit: Kit) -> None:
    server = unruly("modern_settled")
    link = await kit.pool.acquire(key(), server, HANDSHAKE)
    assert (link.era, stdio(link).child.link) == ("stateless", "2")
    # The price is paid once: the next one is asked in its own era at once.
    second = await kit.pool.acquire(key("session:2"), server, HANDSHAKE)
    assert (second.era, stdio(second).child.link, second.calls) == ("stateless", "3", 1)
    third = await kit.pool.acquire(key("session:3"), server, STATELESS)
    assert (third.era, stdio(third).child.link) == ("stateless", "4")


async def test_what_is_remembered_may_turn_out_wrong(kit: Kit) -> None:
    await kit.pool.acquire(key(), unruly("modern"), STATELESS)
    (name,) = kit.memory.values
    kit.memory.values[name] = "handshake 1"  # long ago: probed again
    assert (await kit.pool.acquire(key("session:2"), unruly("modern"), STATELESS)).era == "stateless"
    plain = unruly()
    await kit.pool.acquire(key("session:3"), plain, STATELESS)
    (name,) = set(kit.memory.values) - {name}
    kit.memory.values[name] = "stateless 1"  # the server was replaced by an older one
    assert (await kit.pool.acquire(key("session:4"), plain, STATELESS)).era == "handshake"
    assert kit.memory.values[name].startswith("handshake ")


async def test_the_memory_holds_no_secret(kit: Kit) -> None:
    await kit.pool.acquire(key(), unruly("modern", env=(("API_KEY", "hunter2"),)), STATELESS)
    assert "hunter2" not in repr(kit.memory.values)


async def test_each_request_of_the_stateless_era_carries_the_envelope(kit: Kit) -> None:
    server = child("recorder")
    link = await kit.pool.acquire(key(server="recorder"), server, STATELESS)
    # The caller's own keys are kept, and win where it speaks for its capabilities and log level.
    meta = {"traceparent": "00-1", "io.modelcontextprotocol/logLevel": "info"}
    end = await link.call("tools/call", {**tool("seen"), "_meta": meta})
    seen = json.loads(said(end))
    assert seen["_meta"] == {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "gatekit", "version": "test"},
        "io.modelcontextprotocol/clientCapabilities": {},
        **meta,
    }


async def test_neither_era_is_a_clear_error(kit: Kit) -> None:
    server = Server(name="unruly", command=("cat",), start_timeout=0.3, probe_timeout=0.2)
    with pytest.raises(SpawnFailed, match="could not be opened"):
        await kit.pool.acquire(key(), server, HANDSHAKE)


@pytest.mark.parametrize(
    ("mode", "era", "calls"),
    [("newer", "stateless", 1), ("too_new", "handshake", 2), ("odd_discover", "handshake", 2)],
)
async def test_what_a_server_offers_is_matched_with_what_we_speak(
    kit: Kit, mode: str, era: str, calls: int
) -> None:
    link = await kit.pool.acquire(key(), unruly(mode), STATELESS)
    assert (link.era, link.calls) == (era, calls)
    assert said(await link.call("tools/call", tool("echo", text="x"))) == "x"


async def test_a_store_that_cannot_be_used_costs_the_probe_and_nothing_else(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: str) -> None:
        raise StoreFull("no room")

    monkeypatch.setattr(kit.memory, "get", full)
    monkeypatch.setattr(kit.memory, "put", full)
    assert (await kit.pool.acquire(key(), unruly("modern"), STATELESS)).era == "stateless"
