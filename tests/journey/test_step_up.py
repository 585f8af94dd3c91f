"""A person lets an application read only; when it wants to call, the official client asks for more."""

from __future__ import annotations

import pytest

from gatekit.demo.browser import Browser, Person
from tests.clients.hook import Cautious
from tests.support.running import RunningGateway
from tests.support.sdk import Application, text


def cautious(person: Person, doubts: int) -> Cautious:
    return Cautious(person.name, person.password, Browser(), ["not yet"] * doubts)


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize(("server", "tool"), [("everything", "echo"), ("", "everything__echo")])
async def test_the_python_sdk_steps_up(
    gateway: RunningGateway, alice: Person, mode: str, server: str, tool: str
) -> None:
    """T5: 403 insufficient_scope, a new consent for the larger set, and the call goes through."""
    person = cautious(alice, 1)
    application = Application(person)
    async with application.connect(gateway.endpoint(server), mode) as client:
        assert tool in {each.name for each in (await client.list_tools()).tools}
        tokens = await application.get_tokens()
        assert tokens is not None
        assert tokens.scope == "mcp:read"
        assert application.logins == 1
        assert "now it may" in text(await client.call_tool(tool, {"message": "now it may"}))
        tokens = await application.get_tokens()
        assert tokens is not None
        assert tokens.scope == "mcp:read mcp:call"
        assert application.logins == 2
        assert person.browser.visited == ["consent"], "signed in already, and asked for the larger set"
        assert "again" in text(await client.call_tool(tool, {"message": "again"}))
        assert application.logins == 2


async def test_a_person_who_stays_cautious_is_not_asked_for_ever(
    gateway: RunningGateway, alice: Person
) -> None:
    """T5: The same answer after a new consent is an error, not the next consent."""
    application = Application(cautious(alice, 10))

    async def insist() -> None:
        async with application.connect(gateway.endpoint("everything"), "2026-07-28") as client:
            assert (await client.list_tools()).tools
            await client.call_tool("echo", {"message": "no"})

    with pytest.raises(BaseExceptionGroup) as caught:
        await insist()
    assert "reading only" in "".join(map(str, leaves(caught.value)))
    assert application.logins == 2
    refused = [event for event in gateway.audit("--event", "call") if event["rule"] == "scope"]
    assert {(event["method"], event["decision"], event["principal"]) for event in refused} == {
        ("tools/call", "deny", "alice")
    }
