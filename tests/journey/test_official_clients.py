"""The official SDKs log in by themselves and use all three published servers, in both eras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatekit.demo.browser import Browser, Person
from tests.support.node import run_json
from tests.support.running import RunningGateway
from tests.support.sdk import Application, text


def the_calls(gateway: RunningGateway) -> dict[str, tuple[str, dict[str, Any], str]]:
    """Server → tool, arguments, what the answer must contain."""
    hello = (gateway.folder / "files" / "hello.txt").resolve()
    return {
        "everything": ("echo", {"message": "Grüße, 世界 🌍"}, "Grüße, 世界 🌍"),
        "filesystem": ("read_text_file", {"path": str(hello)}, "hello from a file"),
        "time": ("get_current_time", {"timezone": "Europe/Berlin"}, "Europe/Berlin"),
    }


def fresh(person: Person) -> Person:
    """The same person at another browser, so that the sign-in page is part of the journey."""
    return Person(person.name, person.password, Browser())


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
async def test_python_sdk(gateway: RunningGateway, alice: Person, mode: str) -> None:
    for server, (tool, arguments, expected) in the_calls(gateway).items():
        application = Application(fresh(alice))
        async with application.connect(gateway.endpoint(server), mode) as client:
            listed = [each.name for each in (await client.list_tools()).tools]
            assert tool in listed
            assert expected in text(await client.call_tool(tool, arguments))
            stateless = client.protocol_version >= "2026"
        assert application.logins == 1
        assert application.person.browser.visited == ["sign in", "consent"]
        assert stateless == (mode != "legacy")


async def test_python_sdk_at_the_aggregate_endpoint(gateway: RunningGateway, alice: Person) -> None:
    application = Application(fresh(alice))
    async with application.connect(gateway.endpoint(), "2026-07-28") as client:
        listed = {each.name for each in (await client.list_tools()).tools}
        for server, (tool, arguments, expected) in the_calls(gateway).items():
            assert f"{server}__{tool}" in listed
            assert expected in text(await client.call_tool(f"{server}__{tool}", arguments))


async def test_python_sdk_starts_again_with_what_it_kept(gateway: RunningGateway, alice: Person) -> None:
    application = Application(fresh(alice))
    for mode in ("legacy", "2026-07-28", "legacy"):
        async with application.connect(gateway.endpoint("everything"), mode) as client:
            assert "again" in text(await client.call_tool("echo", {"message": "again"}))
    assert application.logins == 1


async def test_python_sdk_is_told_when_a_person_may_not(gateway: RunningGateway, bob: Person) -> None:
    application = Application(fresh(bob))
    with pytest.raises(BaseExceptionGroup) as caught:
        async with application.connect(gateway.endpoint("filesystem"), "legacy"):
            pass
    assert "access_denied" in "".join(map(str, _leaves(caught.value)))


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


@pytest.mark.parametrize(("sdk", "era"), [("v1", "handshake"), ("v2", "handshake"), ("v2", "stateless")])
def test_typescript_sdk(gateway: RunningGateway, alice: Person, tmp_path: Path, sdk: str, era: str) -> None:
    for server, (tool, arguments, expected) in the_calls(gateway).items():
        job = {
            "url": gateway.endpoint(server),
            "sdk": sdk,
            "era": era,
            "calls": [[tool, arguments]],
        }
        said = run_json("ts_sdk.mjs", [json.dumps(job)], tmp_path / server, alice)
        assert tool in said["tools"]
        assert expected in said["results"][0]
        assert said["logins"] == 1
        assert (said["protocol"] >= "2026") == (era == "stateless")
