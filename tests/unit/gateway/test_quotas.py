"""Quotas in the exchange: what counts, what is refused and how, and what the record says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatekit.gateway.quotas import Ledger
from gatekit.model.rules import (
    Allowance,
    ByGroup,
    ByLogin,
    Quota,
    Rule,
    Rules,
    Selector,
    ServerRules,
    ToolRule,
)
from gatekit.model.server import Server
from gatekit.model.virtual import Exposed, Virtual
from gatekit.plugin import Answer, Asked, Plugin, Replace, Subject
from gatekit.plugins.chain import Chain
from gatekit.plugins.house import Chains
from gatekit.plugins.verdicts import Entry
from tests.unit.gateway.asking import Asked as Asking
from tests.unit.gateway.asking import accept
from tests.unit.gateway.rig import Rig, child, person

ALICE, BOB = ByLogin("local", "alice"), ByLogin("local", "bob")
TALKER, ASKER = "/s/talker/mcp", "/s/asker/mcp"
SERVERS = (
    Server(name="talker", command=child("talker.py"), instances="user"),
    Server(name="asker", command=child("asker.py")),
)
DESK = Virtual(name="desk", exposed=(Exposed(kind="tool", name="who", server="talker", original="whoami"),))
HOUR = 3600.0


def quota(
    name: str = "few", *, who: tuple[Selector, ...] | None = None, shadow: bool = False, **more: Any
) -> Quota:
    about = {key: more.pop(key) for key in ("servers", "names", "clients", "unless") if key in more}
    rule = Rule(name=name, effect="deny", who=who, shadow=shadow, place="quotas", **about)
    return Quota(rule=rule, **more)


def calls(amount: int) -> Allowance:
    return Allowance(amount, HOUR)


def rules(*quotas: Quota) -> Rules:
    hidden = ToolRule(glob="hidden", allowed=(ByGroup("sre"),))
    return Rules(
        servers=(
            ServerRules(server="talker", allowed=(ALICE, BOB), tools=(hidden,)),
            ServerRules(server="asker", allowed=(ALICE, BOB)),
            ServerRules(server="desk", allowed=(ALICE, BOB), place="virtual_servers"),
        ),
        quotas=quotas,
    )


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, SERVERS, rules(), virtual=[DESK])
    made.door.give("alice", person("alice"))
    made.door.give("alice2", person("alice"), client="cli_2")
    made.door.give("bob", person("bob"))
    yield made
    await made.close()


def limit(rig: Rig, *quotas: Quota) -> None:
    rig.gateway.apply(rig.tables(SERVERS, rules(*quotas), [DESK]))


def plug(rig: Rig, plugin: Plugin, *quotas: Quota) -> None:
    tables = rig.tables(SERVERS, rules(*quotas), [DESK])
    entries = [Entry(name=plugin.name, plugin=plugin)]
    tables.plugins = Chains(Chain("", entries), {"talker": Chain("talker", entries)})
    rig.gateway.apply(tables)


def ledger(rig: Rig) -> Ledger:
    return rig.gateway._exchange.ledger


async def use(
    rig: Rig, tool: str = "whoami", path: str = TALKER, token: str = "alice", **arguments: Any
) -> Any:
    """One call of a stateless client; its answer."""
    return await rig.stateless(path, "tools/call", {"name": tool, "arguments": arguments}, token=token)


async def statuses(rig: Rig, count: int, **more: Any) -> list[int]:
    return [(await use(rig, **more)).status for _ in range(count)]


async def test_what_does_not_fit_is_refused_with_the_time_to_come_back(rig: Rig) -> None:
    limit(rig, quota(calls=calls(2)))
    assert await statuses(rig, 2) == [200, 200]
    answer = await use(rig)
    assert answer.status == 429
    error = answer.json["error"]
    assert error["code"] == -31016
    assert error["message"].startswith("'few' allows 2 calls in 1 hour; try again in ")
    assert error["data"]["limit"] == "few"
    assert 3600 <= error["data"]["retryAfterSeconds"] <= 3720
    assert answer.headers["retry-after"] == str(error["data"]["retryAfterSeconds"])
    record = rig.records()[-1]
    assert (record["decision"], record["rule"], record["outcome"]) == ("deny", "quotas.few", "refused")
    assert (record["error_code"], record["name"]) == (-31016, "whoami")


async def test_a_session_hears_the_same_as_a_json_rpc_error(rig: Rig) -> None:
    """The handshake era has no HTTP status for a request that cannot be served now."""
    limit(rig, quota(calls=calls(1)))
    session = await rig.open(TALKER)
    for wanted in ("result", "error"):
        answer = await rig.rpc(TALKER, "tools/call", {"name": "whoami"}, mcp_session_id=session)
        assert (answer.status, wanted in answer.json) == (200, True)
    assert answer.json["error"]["data"]["limit"] == "few"
    assert answer.headers["retry-after"] == str(answer.json["error"]["data"]["retryAfterSeconds"])


async def test_lists_and_greetings_do_not_count_and_are_not_refused(rig: Rig) -> None:
    limit(rig, quota(calls=calls(1)))
    await use(rig)
    session = await rig.open(TALKER)
    for method in ("tools/list", "ping"):
        assert "result" in (await rig.rpc(TALKER, method, mcp_session_id=session)).json
    assert (await rig.stateless(TALKER, "tools/list")).status == 200
    assert (await use(rig)).status == 429


async def test_each_person_has_an_allowance_of_their_own(rig: Rig) -> None:
    limit(rig, quota(calls=calls(1)))
    assert await statuses(rig, 2, token="alice") == [200, 429]
    assert await statuses(rig, 1, token="alice2") == [429], "another client is no other person"
    assert await statuses(rig, 2, token="bob") == [200, 429]


async def test_or_each_client_or_all_together(rig: Rig) -> None:
    limit(rig, quota(calls=calls(1), per="client"))
    assert await statuses(rig, 2, token="alice") == [200, 429]
    assert await statuses(rig, 1, token="alice2") == [200]
    limit(rig, quota("other", calls=calls(1), per="all"))
    assert await statuses(rig, 1, token="alice") == [200]
    assert await statuses(rig, 1, token="bob") == [429]


async def test_whom_and_what_it_is_about(rig: Rig) -> None:
    limit(
        rig,
        quota("a", who=(BOB,), calls=calls(1)),
        quota("b", names=(("tool", "who*"),), calls=calls(2)),
        quota("c", clients=("cli_2",), calls=calls(3)),
        quota("d", servers=("asker",), calls=calls(1)),
    )
    assert await statuses(rig, 3) == [200, 200, 429]
    assert (await use(rig, "progress")).status == 200
    assert await statuses(rig, 2, token="bob") == [200, 429]
    assert await statuses(rig, 4, tool="progress", token="alice2") == [200, 200, 200, 429]


async def test_a_refused_call_takes_nothing(rig: Rig) -> None:
    limit(rig, quota("one", names=(("tool", "whoami"),), calls=calls(1)), quota("many", calls=calls(3)))
    assert await statuses(rig, 6) == [200] + [429] * 5
    assert await statuses(rig, 3, tool="progress") == [200, 200, 429]


async def test_who_may_not_use_a_thing_does_not_hear_of_its_quota(rig: Rig) -> None:
    limit(rig, quota(names=(("tool", "hidden"),), calls=calls(1)))
    said = [(await use(rig, tool)).json["error"]["message"] for tool in ("hidden", "hidden")]
    assert said == ["Unknown tool: hidden"] * 2
    assert len(ledger(rig)) == 0


async def test_a_new_configuration_finds_the_counts(rig: Rig) -> None:
    limit(rig, quota(calls=calls(2)))
    await use(rig)
    limit(rig, quota(calls=calls(2)), quota("other", calls=calls(9)))
    assert await statuses(rig, 2) == [200, 429]
    limit(rig, quota(calls=calls(3)))
    assert await statuses(rig, 2) == [200, 429]
    limit(rig)
    assert await statuses(rig, 2) == [200, 200]


async def test_shadow_is_recorded_and_not_enforced(rig: Rig) -> None:
    limit(rig, quota(calls=calls(1), shadow=True))
    assert await statuses(rig, 2) == [200, 200]
    assert [line.get("shadow", "") for line in rig.records()] == ["", "quotas.few"]
    assert rig.records()[-1]["decision"] == "allow"


async def test_bytes_that_come_in(rig: Rig) -> None:
    limit(rig, quota(bytes_in=calls(2000)))
    assert (await use(rig, text="x" * 1000)).status == 200
    answer = await use(rig, text="x" * 1000)
    assert answer.status == 429
    assert "2000 bytes sent" in answer.json["error"]["message"]
    assert (await use(rig)).status == 200, "what is small enough still fits"
    never = await use(rig, text="x" * 3000)
    assert "this call alone is more than that" in never.json["error"]["message"]
    assert never.json["error"]["data"] == {"limit": "few"}
    assert "retry-after" not in never.headers


async def test_bytes_that_go_out(rig: Rig) -> None:
    """What an answer will take is not known before, so the one that goes over is the last."""
    limit(rig, quota(bytes_out=calls(1000)))
    assert await statuses(rig, 2, tool="large", size=900) == [200, 429]


async def test_calls_at_once(rig: Rig) -> None:
    limit(rig, quota(at_once=1))
    first = rig.begin_stateless(TALKER, "tools/call", {"name": "slow"})
    await rig.calling()
    answer = await use(rig)
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert answer.json["error"]["message"] == "'few' allows 1 calls at once; try again when one has ended"
    assert (await use(rig, token="bob")).status == 200
    first.disconnect()
    await first.end()
    assert (await use(rig)).status == 200
    assert len(ledger(rig)) == 0


async def test_calls_that_come_together_do_not_all_find_the_last_place(rig: Rig) -> None:
    limit(rig, quota(calls=calls(3)), quota("wide", at_once=5))
    await rig.open(TALKER)
    answers = await asyncio.gather(*(use(rig) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 17


async def test_a_call_that_waits_for_its_client_keeps_its_place(rig: Rig) -> None:
    limit(rig, quota(at_once=1))
    client = Asking(rig, "steps")
    asked = await client.leg()
    assert (await use(rig, "ran", ASKER)).status == 429
    done = await client.answered(asked, accept(name="Ada"))
    assert done["resultType"] == "complete"
    assert (await use(rig, "ran", ASKER)).status == 200
    assert len(ledger(rig)) == 0


async def test_a_place_comes_back_when_nobody_answers(rig: Rig) -> None:
    limit(rig, quota(at_once=1))
    asked = await Asking(rig, "steps").leg()
    assert "requestState" in asked
    rig.gateway.rounds.close()
    assert len(ledger(rig)) == 0


async def test_to_answer_a_question_is_no_second_call(rig: Rig) -> None:
    limit(rig, quota(calls=calls(1)))
    client = Asking(rig, "steps")
    done = await client.answered(await client.leg(), accept(name="Ada"))
    assert done["resultType"] == "complete"
    assert (await use(rig, "ran", ASKER)).status == 429


async def test_the_way_through_a_virtual_server_counts_as_well(rig: Rig) -> None:
    limit(rig, quota("there", servers=("talker",), calls=calls(1)))
    assert await statuses(rig, 2, tool="who", path="/s/desk/mcp") == [200, 429]
    limit(rig, quota("here", servers=("desk",), calls=calls(1)))
    assert await statuses(rig, 2, tool="who", path="/s/desk/mcp") == [200, 429]
    assert await statuses(rig, 1) == [200]


class Renames(Plugin):
    def on_request(self, subject: Subject, asked: Asked) -> Any:
        return Replace(asked.arguments, name="whoami")


class Answers(Plugin):
    def on_request(self, subject: Subject, asked: Asked) -> Any:
        return Answer({"content": []})


async def test_what_a_plugin_makes_of_a_call_counts(rig: Rig) -> None:
    plug(rig, Renames(None, "renames"), quota(names=(("tool", "whoami"),), calls=calls(1)))
    assert await statuses(rig, 2, tool="progress") == [200, 429]
    record = rig.records()[-1]
    assert (record["decision"], record["rule"], record["name"]) == ("deny", "quotas.few", "progress")


async def test_what_a_plugin_answers_counts(rig: Rig) -> None:
    plug(rig, Answers(None, "answers"), quota(calls=calls(1)))
    assert await statuses(rig, 2) == [200, 429]


async def test_what_has_run_out_is_forgotten(rig: Rig) -> None:
    ledger(rig).add(("few", "calls", 0.05, "usr_alice"), 1)
    assert len(ledger(rig)) == 1
    async with asyncio.timeout(10):
        while len(ledger(rig)):
            await asyncio.sleep(0.02)  # the sweep of the gateway


async def test_what_was_used_can_be_read(rig: Rig) -> None:
    limit(rig, quota(calls=calls(2), at_once=3))
    await use(rig)
    (used,) = ledger(rig).used()
    assert (used.name, used.whose, used.measure, used.used, used.limit) == ("few", "usr_alice", "calls", 1, 2)
    assert used.wait == 0


async def test_nobody_is_asked_about_what_does_not_fit_and_what_is_refused_does_not_count(rig: Rig) -> None:
    careful = Rule(name="careful", effect="ask", names=(("tool", "remember"),), approvers=(BOB,))
    listed = rules(quota(calls=calls(1)))
    rig.gateway.apply(rig.tables(SERVERS, msgspec.structs.replace(listed, rules=(careful,)), [DESK]))
    for _ in range(3):  # nobody can approve anything here, so it is refused by the rule
        assert (await use(rig, "remember")).json["error"]["code"] == -31015
    assert await statuses(rig, 2) == [200, 429]
    assert (await use(rig, "remember")).json["error"]["code"] == -31016
    assert rig.records()[-1]["rule"] == "quotas.few"
