"""Drives every feature that a stateless client knows, on the official SDK 2.x.

usage: stateless_client.py JOB      the job and the answer as for handshake_client.py
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from tests.clients.era import offer

types: Any = importlib.import_module("mcp_types")
clients: Any = importlib.import_module("mcp.client.client")
transports: Any = importlib.import_module("mcp.client.streamable_http")
errors: Any = importlib.import_module("mcp.shared.exceptions")
httpx2: Any = importlib.import_module("httpx2")
VERSION = "2026-07-28"
PATIENCE = 20.0


class Bench:
    """One client and what it was asked and told."""

    def __init__(self) -> None:
        self.client: Any = None
        self.logged: list[Any] = []
        self.asked: list[str] = []

    async def log(self, params: Any) -> None:
        self.logged.append(params)

    async def elicit(self, context: Any, params: Any) -> Any:
        mode = getattr(params, "mode", None) or "form"
        self.asked.append(mode)
        content = None if mode == "url" else {"name": offer.PERSON}
        return types.ElicitResult(action="accept", content=content)

    async def sample(self, context: Any, params: Any) -> Any:
        self.asked.append("sampling")
        content = types.TextContent(type="text", text=offer.THOUGHT)
        return types.CreateMessageResult(role="assistant", content=content, model="m", stop_reason="endTurn")

    async def roots(self, context: Any) -> Any:
        self.asked.append("roots")
        return types.ListRootsResult.model_validate({"roots": [{"uri": offer.ROOT, "name": "home"}]})

    async def call(self, tool: str, **arguments: Any) -> Any:
        return await self.client.call_tool(tool, arguments)

    async def say(self, tool: str, **arguments: Any) -> str:
        return said(await self.call(tool, **arguments))


def said(result: Any) -> str:
    assert not result.is_error, result
    return str(result.content[0].text)


def tool_named(listed: Any, name: str) -> Any:
    return next(tool for tool in listed.tools if tool.name == name)


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Bench]:
    bench = Bench()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        client = clients.Client(
            transports.streamable_http_client(url, http_client=http),
            mode="auto",
            read_timeout_seconds=2 * PATIENCE,
            sampling_callback=bench.sample,
            list_roots_callback=bench.roots,
            elicitation_callback=bench.elicit,
            logging_callback=bench.log,
            log_level="info",
        )
        async with client:
            bench.client = client
            yield bench


# -- features ----------------------------------------------------------------------------------------------

Feature = Callable[[Bench], Awaitable[None]]
FEATURES: dict[str, Feature] = {}


def feature(name: str) -> Callable[[Feature], Feature]:
    def register(function: Feature) -> Feature:
        FEATURES[name] = function
        return function

    return register


@feature("opening")
async def opening(bench: Bench) -> None:
    client = bench.client
    assert client.protocol_version == VERSION, client.protocol_version
    assert client.server_info.name == offer.NAME
    assert client.instructions == offer.INSTRUCTIONS
    offered = client.server_capabilities
    assert offered.tools is not None
    assert offered.tools.list_changed
    assert offered.prompts is not None
    assert offered.resources is not None
    assert offered.resources.subscribe


@feature("tools")
async def tools(bench: Bench) -> None:
    listed = await bench.client.list_tools(cache_mode="refresh")
    assert {tool["name"] for tool in offer.TOOLS} <= {tool.name for tool in listed.tools}
    assert tool_named(listed, "echo").input_schema["properties"] == {"text": {"type": "string"}}
    assert await bench.say("echo", text="Grüße, 世界") == "Grüße, 世界"


@feature("titles")
async def titles(bench: Bench) -> None:
    listed = await bench.client.list_tools()
    assert tool_named(listed, "echo").title == offer.TOOLS[0]["title"]


@feature("icons")
async def icons(bench: Bench) -> None:
    listed = await bench.client.list_tools()
    assert tool_named(listed, "echo").icons[0].src == offer.ICON["src"]


@feature("annotations")
async def hints(bench: Bench) -> None:
    listed = await bench.client.list_tools()
    assert tool_named(listed, "echo").annotations.read_only_hint is True


@feature("structured")
async def structured(bench: Bench) -> None:
    result = await bench.call("measure")
    assert json.loads(said(result)) == {"celsius": 21.5}
    assert result.structured_content == {"celsius": 21.5}


@feature("content")
async def content(bench: Bench) -> None:
    parts = (await bench.call("show")).content
    assert [part.type for part in parts] == ["text", "image", "audio", "resource", "resource_link"]
    assert parts[1].data == offer.PIXEL
    assert parts[3].resource.text == "note 2"


@feature("audio")
async def audio(bench: Bench) -> None:
    part = (await bench.call("show")).content[2]
    assert (part.type, part.data) == ("audio", offer.SOUND)


@feature("links")
async def links(bench: Bench) -> None:
    part = (await bench.call("show")).content[4]
    assert (part.type, str(part.uri)) == ("resource_link", "era://notes/1")


@feature("tool error")
async def tool_error(bench: Bench) -> None:
    result = await bench.call("fail")
    assert result.is_error
    assert result.content[0].text == "it did not work"


@feature("prompts")
async def prompts(bench: Bench) -> None:
    assert [prompt.name for prompt in (await bench.client.list_prompts()).prompts] == ["greet"]
    got = await bench.client.get_prompt("greet", {"who": offer.PERSON})
    assert got.messages[0].content.text == f"Say hello to {offer.PERSON}"


@feature("pagination")
async def pagination(bench: Bench) -> None:
    cursor: str | None = None
    pages = []
    for _ in range(5):
        page = await bench.client.list_resources(cursor=cursor)
        pages.append([str(each.uri) for each in page.resources])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [len(page) for page in pages] == [3, 3, 1], pages
    assert len({uri for page in pages for uri in page}) == offer.RESOURCES


@feature("resources")
async def resources(bench: Bench) -> None:
    assert (await bench.client.read_resource("era://notes/3")).contents[0].text == "note 3"
    assert (await bench.client.read_resource("era://pixel")).contents[0].blob == offer.PIXEL


@feature("templates")
async def templates(bench: Bench) -> None:
    listed = await bench.client.list_resource_templates()
    assert listed.resource_templates[0].uri_template == "era://people/{name}"
    assert (await bench.client.read_resource("era://people/Ada")).contents[0].text == "this is Ada"


@feature("completion")
async def completion(bench: Bench) -> None:
    ref = types.PromptReference(type="ref/prompt", name="greet")
    got = await bench.client.complete(ref, {"name": "who", "value": "Ad"})
    assert got.completion.values == ["Ada", "Adele"]


@feature("progress")
async def progress(bench: Bench) -> None:
    told: list[tuple[float, str | None]] = []

    async def note(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message))

    result = await bench.client.call_tool("slow", {"steps": 3}, progress_callback=note)
    assert said(result) == "slow is done"
    assert told == [(1, "step 1"), (2, "step 2"), (3, "step 3")], told


@feature("logging")
async def logging(bench: Bench) -> None:
    bench.logged.clear()
    assert await bench.say("chatter") == "said"
    with anyio.fail_after(PATIENCE):
        while not any(each.data == "a warning" for each in bench.logged):
            await anyio.sleep(0.01)


@feature("cancellation")
async def cancellation(bench: Bench) -> None:
    key = uuid.uuid4().hex
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: bench.call("wait", key=key))
        await anyio.sleep(0.3)
        group.cancel_scope.cancel()  # at this revision a closed stream is the cancellation
    with anyio.fail_after(PATIENCE):
        while await bench.say("cancelled", key=key) != "yes":
            await anyio.sleep(0.05)


@feature("list changed")
async def list_changed(bench: Bench) -> None:
    key = "extra_" + uuid.uuid4().hex
    async with bench.client.listen(tools_list_changed=True) as stream:
        assert stream.honored.tools_list_changed
        assert await bench.say("grow", key=key) == "grown"
        with anyio.fail_after(PATIENCE):
            await anext(aiter(stream))
    listed = await bench.client.list_tools(cache_mode="refresh")
    assert key in {tool.name for tool in listed.tools}


@feature("subscribe")
async def subscribe(bench: Bench) -> None:
    async with bench.client.listen(resource_subscriptions=[offer.WATCHED]) as stream:
        assert await bench.say("touch", uri=offer.WATCHED) == "touched"
        with anyio.fail_after(PATIENCE):
            event = await anext(aiter(stream))
    assert str(event.uri) == offer.WATCHED, event


@feature("form")
async def form(bench: Bench) -> None:
    assert await bench.say("ask") == f"accept {offer.PERSON}"
    assert bench.asked[-1] == "form"


@feature("url")
async def url(bench: Bench) -> None:
    assert await bench.say("visit") == f"accept {offer.VISIT}"
    assert bench.asked[-1] == "url"


@feature("sampling")
async def sampling(bench: Bench) -> None:
    assert await bench.say("think") == offer.THOUGHT


@feature("roots")
async def roots(bench: Bench) -> None:
    assert await bench.say("where") == offer.ROOT


@feature("meta")
async def meta(bench: Bench) -> None:
    result = await bench.client.call_tool("meta", {}, meta={offer.VENDOR: "there"})
    assert said(result) == "there"
    result = await bench.call("echo", text="x")
    assert result.meta[offer.VENDOR] == "back", result


@feature("large")
async def large(bench: Bench) -> None:
    assert len(await bench.say("big", bytes=2_000_000)) == 2_000_000


async def error_of(work: Awaitable[Any]) -> Any:
    try:
        result = await work
    except errors.MCPError as error:
        return error.error
    raise AssertionError(f"no error but {result}")


@feature("unknown tool")
async def unknown_tool(bench: Bench) -> None:
    error = await error_of(bench.call("no-such-tool"))
    assert error.code == -32602, error
    assert "no-such-tool" in error.message, error


@feature("missing resource")
async def missing_resource(bench: Bench) -> None:
    error = await error_of(bench.client.read_resource("era://nowhere"))
    assert error.code == -32602, error


# -- the run -----------------------------------------------------------------------------------------------


async def measured(bench: Bench, work: Feature) -> str:
    try:
        with anyio.fail_after(2 * PATIENCE):
            await work(bench)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the cell's content
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"[:500]
    return ""


def leaves(error: BaseException) -> list[str]:
    """What lies at the ends of an exception group."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [f"the session ended: {type(error).__name__}: {error}"]


async def run(job: dict[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, where in job["servers"].items():
        cells = found[name] = dict.fromkeys(FEATURES, "not reached")
        try:
            async with connected(where["url"], where["token"]) as bench:
                for feature_name, work in FEATURES.items():
                    cells[feature_name] = await measured(bench, work)
        except BaseException as error:  # noqa: BLE001 - of a session that could not be opened or kept
            why = "; ".join(leaves(error))[:500]
            for feature_name, cell in cells.items():
                if cell == "not reached":
                    cells[feature_name] = why
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # roots, sampling and logging are deprecated at this revision, and served
    given = json.loads(sys.argv[1])
    assert given["version"] == VERSION
    print(json.dumps(anyio.run(run, given)))
