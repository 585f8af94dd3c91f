"""``${user:…}`` in a server's environment, through a running gateway: each person gets their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gatekit.model.people import Principal
from gatekit.model.personal import Attribute
from gatekit.model.rules import Anyone, Rules, ServerRules
from gatekit.model.server import Instances, Server
from tests.unit.gateway.rig import Rig, child, person

ENV = (("ACT_AS", ("<", Attribute("email"), ">")), ("TEAM", (Attribute("groups", "guests"),)))


def somebody(name: str, *groups: str) -> Principal:
    return replace(person(name, *groups), email=f"{name}@example.com", email_verified=True)


def server(instances: Instances) -> Server:
    return Server(name=f"env-{instances}", command=child("unruly.py"), instances=instances, personal_env=ENV)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    servers = (server("session"), server("user"))
    rules = Rules(servers=tuple(ServerRules(server=one.name, allowed=(Anyone(),)) for one in servers))
    made = Rig(tmp_path, servers, rules)
    made.door.give("alice", somebody("alice", "sre", "dev"))
    made.door.give("bob", somebody("bob"))
    made.door.give("carol", person("carol"))
    yield made
    await made.close()


async def variables(rig: Rig, path: str, token: str) -> dict[str, str]:
    answer = await rig.stateless(path, "tools/call", {"name": "env", "arguments": {}}, token=token)
    found: dict[str, str] = json.loads(answer.json["result"]["content"][0]["text"])
    return found


@pytest.mark.parametrize("path", ["/s/env-session/mcp", "/s/env-user/mcp"])
async def test_each_person_gets_their_own_values(rig: Rig, path: str) -> None:
    alice, bob = await variables(rig, path, "alice"), await variables(rig, path, "bob")
    assert (alice["ACT_AS"], alice["TEAM"]) == ("<alice@example.com>", "dev,sre")
    assert (bob["ACT_AS"], bob["TEAM"]) == ("<bob@example.com>", "guests")


async def test_a_session_gets_them_too(rig: Rig) -> None:
    session = await rig.open("/s/env-session/mcp", token="bob")
    answer = await rig.rpc(
        "/s/env-session/mcp", "tools/call", {"name": "env"}, token="bob", mcp_session_id=session
    )
    assert "<bob@example.com>" in answer.body.decode()


async def test_a_changed_attribute_means_another_process(rig: Rig) -> None:
    path = "/s/env-user/mcp"
    first = await variables(rig, path, "alice")
    assert (await variables(rig, path, "alice"))["GATEKIT_LINK"] == first["GATEKIT_LINK"]
    rig.door.give("alice", replace(somebody("alice", "dev"), email="alice@new.example"))
    second = await variables(rig, path, "alice")
    assert second["GATEKIT_LINK"] != first["GATEKIT_LINK"]
    assert (second["ACT_AS"], second["TEAM"]) == ("<alice@new.example>", "dev")


async def test_who_lacks_it_is_refused_clearly_and_without_a_back_off_for_others(rig: Rig) -> None:
    path = "/s/env-user/mcp"
    for _ in range(6):
        answer = await rig.stateless(path, "tools/call", {"name": "env", "arguments": {}}, token="carol")
        assert answer.json["error"]["code"] == -31020
        assert "email" in answer.json["error"]["message"]
    assert (await variables(rig, path, "bob"))["ACT_AS"] == "<bob@example.com>"
    reasons = [line["reason"] for line in rig.records() if line["outcome"] == "error"]
    assert reasons == ["ACT_AS: ${user:email}: the account has none"] * 6


async def test_values_are_in_no_record(rig: Rig) -> None:
    await variables(rig, "/s/env-user/mcp", "alice")
    assert "alice@example.com" not in json.dumps(rig.records())
