"""The test kit for authors: what it shows is what a gateway would do."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.plugin import (
    Answer,
    Answered,
    Asked,
    Block,
    Listed,
    Options,
    Pass,
    Plugin,
    PluginError,
    Questioned,
    Record,
    Replace,
    Said,
    Subject,
    Verdict,
)
from gatekit.testing import Kit


class Everything(Plugin):
    class Settings(Options, frozen=True):
        word: str = "x"

    def on_request(self, subject: Subject, asked: Asked) -> Verdict:
        if asked.name == "answer":
            return Answer({"content": []})
        if asked.name == "block":
            return Block("no")
        return Replace({"by": subject.username, "word": self.options.word})

    async def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdict:
        return Replace({**answered.body, "kind": answered.kind})

    def on_list(self, subject: Subject, listed: Listed) -> Verdict:
        return Replace(listed.items[:1])

    async def on_notification(self, subject: Subject, said: Said) -> Verdict:
        return Block("no") if said.to == "server" else Replace({"heard": True})

    def on_question(self, subject: Subject, questioned: Questioned) -> Verdict:
        return Answer({"action": "decline"})

    def on_answer(self, subject: Subject, questioned: Questioned, answered: Answered) -> Verdict:
        return Pass("looked")

    async def on_record(self, subject: Subject, record: Record) -> None:
        if record.event["name"] == "full":
            raise OSError


async def test_every_hook() -> None:
    kit = Kit(Everything, word="y")
    asked = await kit.request("tool", {})
    assert isinstance(asked, Asked)
    assert asked.arguments == {"by": "alice", "word": "y"}
    assert await kit.request("answer") == Answer({"content": []})
    assert isinstance(await kit.request("block"), Block)
    assert await kit.response({"a": 1}, kind="error") == {"a": 1, "kind": "error"}
    assert await kit.list([{"name": "a"}, {"name": "b"}]) == ({"name": "a"},)
    assert await kit.notification("notifications/message", {}) == {"heard": True}
    assert await kit.notification("notifications/message", {}, to="server") is None
    assert await kit.question("elicitation/create", {}) == Answer({"action": "decline"})
    assert await kit.answer("elicitation/create", {}, {"action": "accept"}) == {"action": "accept"}
    assert await kit.record(name="tool")
    assert not await kit.record(name="full")
    assert kit.seen[-1] == "plugin:looked"


async def test_a_fault_of_the_plugin_fails_the_test() -> None:
    class Broken(Plugin):
        def on_request(self, subject: Subject, asked: Asked) -> Verdict:
            raise KeyError("x")

    with pytest.raises(PluginError, match="plugin:error:KeyError"):
        await Kit(Broken).request("tool")
    assert isinstance(await Kit(Broken, strict=False).request("tool"), Block)
    assert isinstance(await Kit(Broken, strict=False, on_error="open").request("tool"), Asked)


def test_options_are_checked_as_in_a_file() -> None:
    options: Any = {"wrod": "x"}
    with pytest.raises(PluginError, match="unknown option `wrod`"):
        Kit(Everything, **options)
