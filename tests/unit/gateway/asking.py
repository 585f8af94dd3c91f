"""A stateless client that can be asked: first call, questions, retry."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from tests.unit.gateway.rig import Answer, Rig, child, person

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
EVERYTHING: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
ASKER = "/s/asker/mcp"


SERVERS = (
    Server(name="asker", command=child("asker.py")),
    Server(name="early", command=child("asker.py", "early")),
    Server(name="few", command=child("asker.py"), instances="user", max_instances_per_user=2),
    Server(name="common", command=child("asker.py"), instances="shared"),
    Server(name="hasty", command=child("asker.py"), call_timeout=0.5),
    Server(name="modern", command=child("modern.py")),
)
PEOPLE = (ByLogin("local", "alice"), ByLogin("local", "bob"))
RULES = Rules(servers=tuple(ServerRules(server=each.name, allowed=PEOPLE) for each in SERVERS))


@asynccontextmanager
async def asking_rig(folder: Path, **settings: Any) -> AsyncIterator[Rig]:
    """A gateway in front of servers that ask."""
    made = Rig(folder, SERVERS, RULES, **settings)
    made.door.give("alice", person("alice"))
    made.door.give("alice2", person("alice"), client="cli_2")
    made.door.give("bob", person("bob"))
    try:
        yield made
    finally:
        await made.close()


def accept(**content: Any) -> dict[str, Any]:
    return {"action": "accept", "content": content}


class Asked:
    """A client that calls one tool until it has its result."""

    def __init__(self, rig: Rig, tool: str, path: str = ASKER, **arguments: Any) -> None:
        self.rig = rig
        self.path = path
        self.method = "tools/call"
        self.params: dict[str, Any] = {"name": tool, "arguments": arguments}
        self.token = "alice"
        self.capabilities = EVERYTHING
        self.meta: dict[str, Any] = {}
        self.requests = 0
        self.last: Answer | None = None

    def begin(self, **more: Any) -> Answer:
        """One leg."""
        self.requests += 1
        params = {**self.params, **more, "_meta": {CAPABILITIES: self.capabilities, **self.meta}}
        return self.rig.begin_stateless(
            self.path, self.method, params, request_id=f"r{self.requests}", token=self.token
        )

    async def leg(self, **more: Any) -> Any:
        """One leg to its end; its result or error."""
        self.last = await self.begin(**more).end()
        message = self.last.json
        assert message["id"] == f"r{self.requests}"
        return message.get("result", message.get("error"))

    async def leg_with(self, questions: int) -> Any:
        """The first leg; what came a moment later than the first question is waited for."""
        asked = await self.leg()
        while len(asked["inputRequests"]) < questions:
            asked = await self.retry(asked, {})
        return asked

    async def retry(self, asked: dict[str, Any], responses: dict[str, Any]) -> Any:
        return await self.leg(inputResponses=responses, requestState=asked["requestState"])

    async def answered(self, asked: dict[str, Any], *answers: Any) -> Any:
        """Answer all questions in order."""
        return await self.retry(asked, dict(zip(asked["inputRequests"], answers, strict=True)))


def content(result: Any) -> Any:
    """The JSON in a tool result's text."""
    assert result.get("resultType") == "complete", result
    return json.loads(result["content"][0]["text"])
