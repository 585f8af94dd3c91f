"""alice and bob at the same time: nothing crosses, nothing is borrowed, and a change applies at once."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from gatekit.demo.browser import Person, StoryError
from tests.support.raw import RawSession, message, said
from tests.support.running import ECHO, MakeGateway, RunningGateway, eventually

AT_ONCE = 32


async def run_calls(session: RawSession, name: str, calls: int) -> None:
    """Ids 1…``calls``, ``AT_ONCE`` at a time; every answer must be the one to its own question."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            answer = await session.call(number, "echo", {"message": f"{name} {number}"})
        assert message(answer)["id"] == number
        assert said(answer) == f"{name} {number}"

    await asyncio.gather(*(one(number) for number in range(1, calls + 1)))


@pytest.mark.parametrize(("instances", "calls"), [("session", 1000), ("shared", 1000), ("user", 200)])
async def test_the_same_ids_at_the_same_time(make_gateway: MakeGateway, instances: str, calls: int) -> None:
    """I7: The same ids at the same time."""
    gateway = make_gateway({"echo": {"command": list(ECHO), "users": ["developers"], "instances": instances}})
    people = {name: gateway.person(name) for name in ("alice", "bob")}
    async with httpx2.AsyncClient(timeout=60) as http:
        sessions = {}
        for name, person in people.items():
            sessions[name] = RawSession(http, gateway.endpoint("echo"), gateway.token(person, "echo"))
            await sessions[name].initialize()
        await asyncio.gather(*(run_calls(session, name, calls) for name, session in sessions.items()))
    for name in people:
        records = gateway.audit("--user", name, "--tool", "echo")
        assert len([each for each in records if each["event"] == "call"]) == calls


async def test_a_session_belongs_to_its_person(gateway: RunningGateway, alice: Person, bob: Person) -> None:
    """I5, T11: A session belongs to its person."""
    url = gateway.endpoint("everything")
    async with httpx2.AsyncClient(timeout=30) as http:
        hers = RawSession(http, url, gateway.token(alice, "everything"))
        await hers.initialize()
        his = RawSession(http, url, gateway.token(bob, "everything"))
        await his.initialize()
        his.headers["Mcp-Session-Id"] = hers.session
        stolen = await his.call(1, "echo", {"message": "mine now"})
        assert stolen.status_code == 404
        ended = await http.delete(url, headers=his.headers)
        assert ended.status_code == 404
        listened = await http.get(url, headers={**his.headers, "Accept": "text/event-stream"})
        assert listened.status_code == 404
        unknown = {**hers.headers, "Mcp-Session-Id": "no-such-session"}
        assert (await http.get(url, headers={**unknown, "Accept": "text/event-stream"})).status_code == 404
        assert said(await hers.call(1, "echo", {"message": "still hers"})).endswith("still hers")


async def test_removed_from_the_file_refused_at_the_next_request(make_gateway: MakeGateway) -> None:
    """R6: Removed from the file refused at the next request."""
    gateway = make_gateway()
    bob, alice = gateway.person("bob"), gateway.person("alice")
    async with httpx2.AsyncClient(timeout=30) as http:
        his = RawSession(http, gateway.endpoint("echo"), gateway.token(bob, "echo"))
        hers = RawSession(http, gateway.endpoint("echo"), gateway.token(alice, "echo"))
        await his.initialize()
        await hers.initialize()
        assert said(await his.call(1, "echo", {"message": "hello"})) == "hello"
        gateway.groups["developers"] = ["alice"]
        gateway.write()
        applied = lambda: any(  # noqa: E731
            each.get("action") == "applied" for each in gateway.audit("--event", "config")
        )
        await asyncio.to_thread(eventually, applied, 15.0, "the new file was not applied")
        refused = await his.call(2, "echo", {"message": "hello?"})
        assert refused.status_code in {401, 403, 404} or "error" in message(refused)
        assert "hello?" not in refused.text
        assert said(await hers.call(2, "echo", {"message": "still here"})) == "still here"
    assert [each for each in gateway.audit("--user", "bob", "--denied")]


async def test_a_bad_file_changes_nothing(make_gateway: MakeGateway) -> None:
    gateway = make_gateway()
    alice = gateway.person("alice")
    async with httpx2.AsyncClient(timeout=30) as http:
        hers = RawSession(http, gateway.endpoint("echo"), gateway.token(alice, "echo"))
        await hers.initialize()
        gateway.config.write_text("servers: [", encoding="utf-8")
        refused = lambda: any(  # noqa: E731
            each.get("action") == "refused" for each in gateway.audit("--event", "config")
        )
        await asyncio.to_thread(eventually, refused, 15.0, "nobody said that the file is bad")
        assert said(await hers.call(1, "echo", {"message": "as before"})) == "as before"
        ready = await http.get(f"{gateway.url}/readyz")
        assert ready.status_code == 200


async def test_default_deny_is_the_same_for_strangers_and_unknown_servers(
    gateway: RunningGateway, bob: Person
) -> None:
    """I12: bob cannot tell a server that he may not use from one that does not exist."""
    token = gateway.token(bob)
    async with httpx2.AsyncClient(timeout=30) as http:
        his = RawSession(http, gateway.endpoint(), token)
        await his.initialize()
        hidden = message(await his.call(1, "filesystem__list_allowed_directories", {}))
        absent = message(await his.call(1, "no_such_server__list_allowed_directories", {}))
    assert hidden["error"]["code"] == absent["error"]["code"]
    words = (hidden["error"]["message"], absent["error"]["message"])
    assert words[0].replace("filesystem", "X") == words[1].replace("no_such_server", "X")


async def test_an_api_key_pasted_into_a_client(gateway: RunningGateway, alice: Person) -> None:
    printed = gateway.gatekit("keys", "create", alice.name, "--name", "editor", "--servers", "everything")
    key = next(word for word in printed.split() if word.startswith("gk_key_"))
    async with httpx2.AsyncClient(timeout=30) as http:
        hers = RawSession(http, gateway.endpoint("everything"), key)
        await hers.initialize()
        assert said(await hers.call(1, "echo", {"message": "with a key"})).endswith("with a key")
        elsewhere = RawSession(http, gateway.endpoint("time"), key)
        closed = await elsewhere.post({"id": 1, "method": "tools/list", "params": {}})
        assert closed.status_code in {401, 403}
    assert key not in gateway.log.read_text(encoding="utf-8")


def test_bob_cannot_get_a_token_for_what_he_may_not_use(gateway: RunningGateway, bob: Person) -> None:
    """I9, T3: Bob cannot get a token for what he may not use."""
    with pytest.raises(StoryError, match="access_denied"):
        gateway.token(bob, "filesystem")
