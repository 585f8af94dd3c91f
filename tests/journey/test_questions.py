"""A published server of the older era asks in the middle of its calls; an official client of either era
answers."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ListRootsResult,
    Root,
    TextContent,
)
from pydantic import FileUrl

from gatekit.demo.browser import Browser, Person
from tests.support.running import RunningGateway
from tests.support.sdk import Application, text


class Human:
    """Whoever sits in front of the client, and how often they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def elicit(self, _context: Any, params: ElicitRequestParams) -> ElicitResult:
        if not isinstance(params, ElicitRequestFormParams):
            self.asked.append(params.url)
            return ElicitResult(action="accept")
        self.asked.append(params.message)
        return ElicitResult(action="accept", content={"name": "Ada Lovelace", "check": True})

    async def sample(self, _context: Any, params: CreateMessageRequestParams) -> CreateMessageResult:
        self.asked.append("sampling")
        said = TextContent(type="text", text=f"at most {params.max_tokens} tokens of wisdom")
        return CreateMessageResult(role="assistant", content=said, model="wise", stop_reason="endTurn")

    async def roots(self, _context: Any) -> ListRootsResult:
        self.asked.append("roots")
        return ListRootsResult(roots=[Root(uri=FileUrl("file:///home/ada"), name="home of Ada")])


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_published_server_asks_an_official_client(
    gateway: RunningGateway, alice: Person, mode: str
) -> None:
    human = Human()
    application = Application(Person(alice.name, alice.password, Browser()))
    async with application.connect(
        gateway.endpoint("everything"),
        mode,
        elicitation_callback=human.elicit,
        sampling_callback=human.sample,
        list_roots_callback=human.roots,
    ) as client:
        said = text(await client.call_tool("trigger-elicitation-request", {}))
        assert "Ada Lovelace" in said
        said = text(await client.call_tool("trigger-sampling-request", {"prompt": "hi", "maxTokens": 7}))
        assert "at most 7 tokens of wisdom" in said
        assert "home of Ada" in text(await client.call_tool("get-roots-list", {}))
        visit = {"url": "https://example.com/sign-in", "message": "Please sign in"}
        text(await client.call_tool("trigger-url-elicitation", visit))
    assert human.asked[0].startswith("Please provide inputs")
    assert "https://example.com/sign-in" in human.asked
    assert {"sampling", "roots"} <= set(human.asked)
    (record, *_) = [
        each
        for each in gateway.audit("--user", alice.name)
        if each.get("name") == "trigger-elicitation-request" and each["outcome"] == "ok"
    ]
    assert record["principal"] == alice.name
