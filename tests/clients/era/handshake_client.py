"""Drives every feature that a handshake-era client knows, on the official SDK 1.x, whatever its release.

usage: handshake_client.py JOB
JOB is {"version", "transport": "sse" | "http", "servers": {NAME: {"url", "token"}}}. It prints
{NAME: {FEATURE: "" or what went wrong}}. What a revision cannot carry is checked for its decent substitute.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio

from tests.clients.era import offer

types: Any = importlib.import_module("mcp.types")
sessions: Any = importlib.import_module("mcp.client.session")
errors: Any = importlib.import_module("mcp.shared.exceptions")
VERSION: str = types.LATEST_PROTOCOL_VERSION
PATIENCE = 20.0


class Raw:
    """A request as it stands: the SDK of 2024-11-05 put the cursor beside the parameters."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def model_dump(self, **_: Any) -> dict[str, Any]:
        return self._body


class Bench:
    """One connected session, what it heard, and how to speak to it in the SDK's own types."""

    def __init__(self) -> None:
        self.session: Any = None
        self.opened: Any = None
        self.heard: list[dict[str, Any]] = []
        self.asked: list[str] = []

    async def hear(self, message: Any) -> None:
        root = getattr(message, "root", None)
        if root is not None and hasattr(root, "method"):
            self.heard.append(root.model_dump(by_alias=True, mode="json", exclude_none=True))

    async def elicit(self, context: Any, params: Any) -> Any:
        mode = getattr(params, "mode", None) or "form"
        self.asked.append(mode)
        if mode == "url":
            return types.ElicitResult(action="accept")
        return types.ElicitResult(action="accept", content={"name": offer.PERSON})

    async def sample(self, context: Any, params: Any) -> Any:
        self.asked.append("sampling")
        content = types.TextContent(type="text", text=offer.THOUGHT)
        return types.CreateMessageResult(role="assistant", content=content, model="m", stopReason="endTurn")

    async def roots(self, context: Any) -> Any:
        self.asked.append("roots")
        return types.ListRootsResult.model_validate({"roots": [{"uri": offer.ROOT, "name": "home"}]})

    async def request(
        self, kind: str, result: str, method: str, params: dict[str, Any] | None
    ) -> dict[str, Any]:
        body = {"method": method, **({"params": params} if params is not None else {})}
        sent = types.ClientRequest(getattr(types, kind).model_validate(body))
        if params and "cursor" in params and not hasattr(types, "PaginatedRequestParams"):
            sent = Raw(body)
        got = await self.session.send_request(sent, getattr(types, result))
        found: dict[str, Any] = got.model_dump(by_alias=True, mode="json", exclude_none=True)
        return found

    async def call(self, tool: str, meta: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        if meta is not None:
            params["_meta"] = meta
        return await self.request("CallToolRequest", "CallToolResult", "tools/call", params)

    async def say(self, tool: str, **arguments: Any) -> str:
        return said(await self.call(tool, **arguments))

    async def until(self, method: str, **params: Any) -> dict[str, Any]:
        """Wait for a notification that carries these parameters."""
        with anyio.fail_after(PATIENCE):
            while True:
                for message in self.heard:
                    given = message.get("params") or {}
                    if message["method"] == method and all(given.get(k) == v for k, v in params.items()):
                        return message
                await anyio.sleep(0.01)


def said(result: dict[str, Any]) -> str:
    assert not result.get("isError"), result
    return str(result["content"][0]["text"])


def knows(revision: str) -> bool:
    return revision <= VERSION


@asynccontextmanager
async def connected(transport: str, url: str, token: str) -> AsyncIterator[Bench]:
    headers = {"Authorization": f"Bearer {token}"}
    bench = Bench()
    if transport == "sse":
        opened = importlib.import_module("mcp.client.sse").sse_client(url, headers=headers)
    else:
        module = importlib.import_module("mcp.client.streamable_http")
        opened = module.streamablehttp_client(url, headers=headers)
    callbacks: dict[str, Any] = {
        "sampling_callback": bench.sample,
        "list_roots_callback": bench.roots,
        "message_handler": bench.hear,
        "read_timeout_seconds": timedelta(seconds=2 * PATIENCE),
    }
    if hasattr(types, "ElicitResult"):
        callbacks["elicitation_callback"] = bench.elicit
    async with opened as streams, sessions.ClientSession(streams[0], streams[1], **callbacks) as session:
        bench.session = session
        bench.opened = await session.initialize()
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
    assert bench.opened.protocolVersion == VERSION, bench.opened.protocolVersion
    assert bench.opened.serverInfo.name == offer.NAME
    assert bench.opened.instructions == offer.INSTRUCTIONS
    offered = bench.opened.capabilities
    assert offered.tools is not None
    assert offered.tools.listChanged
    assert offered.prompts is not None
    assert offered.resources is not None
    assert offered.resources.subscribe
    assert offered.logging is not None


@feature("ping")
async def ping(bench: Bench) -> None:
    await bench.session.send_ping()


@feature("tools")
async def tools(bench: Bench) -> None:
    listed = await bench.request("ListToolsRequest", "ListToolsResult", "tools/list", None)
    found = {tool["name"]: tool for tool in listed["tools"]}
    assert {tool["name"] for tool in offer.TOOLS} <= found.keys(), sorted(found)
    assert found["echo"]["inputSchema"]["properties"] == {"text": {"type": "string"}}
    assert await bench.say("echo", text="Grüße, 世界") == "Grüße, 世界"


@feature("titles")
async def titles(bench: Bench) -> None:
    listed = await bench.request("ListToolsRequest", "ListToolsResult", "tools/list", None)
    echo = next(tool for tool in listed["tools"] if tool["name"] == "echo")
    assert echo.get("title") == offer.TOOLS[0]["title"] or not knows("2025-06-18"), echo


@feature("icons")
async def icons(bench: Bench) -> None:
    listed = await bench.request("ListToolsRequest", "ListToolsResult", "tools/list", None)
    echo = next(tool for tool in listed["tools"] if tool["name"] == "echo")
    assert not knows("2025-11-25") or echo["icons"][0]["src"] == offer.ICON["src"], echo


@feature("annotations")
async def hints(bench: Bench) -> None:
    listed = await bench.request("ListToolsRequest", "ListToolsResult", "tools/list", None)
    echo = next(tool for tool in listed["tools"] if tool["name"] == "echo")
    assert not knows("2025-03-26") or echo["annotations"]["readOnlyHint"] is True, echo


@feature("structured")
async def structured(bench: Bench) -> None:
    result = await bench.call("measure")
    assert json.loads(said(result)) == {"celsius": 21.5}
    assert result.get("structuredContent") == {"celsius": 21.5} or not knows("2025-06-18"), result


def _kinds(result: dict[str, Any]) -> list[str]:
    return [part["type"] for part in result["content"]]


@feature("content")
async def content(bench: Bench) -> None:
    result = await bench.call("show")
    parts = result["content"]
    assert len(parts) == 5, result
    assert parts[0]["text"] == "look"
    assert (parts[1]["type"], parts[1]["data"]) == ("image", offer.PIXEL)
    assert parts[3]["resource"]["text"] == "note 2"


@feature("audio")
async def audio(bench: Bench) -> None:
    part = (await bench.call("show"))["content"][2]
    if not knows("2025-03-26"):
        assert part["type"] == "text", part
        assert "audio" in part["text"]
        return
    assert (part["type"], part["data"]) == ("audio", offer.SOUND), part


@feature("links")
async def links(bench: Bench) -> None:
    part = (await bench.call("show"))["content"][4]
    if not knows("2025-06-18"):
        assert part["type"] == "text", part
        assert "era://notes/1" in part["text"]
        return
    assert (part["type"], part["uri"]) == ("resource_link", "era://notes/1"), part


@feature("tool error")
async def tool_error(bench: Bench) -> None:
    result = await bench.call("fail")
    assert result["isError"], result
    assert result["content"][0]["text"] == "it did not work"


@feature("prompts")
async def prompts(bench: Bench) -> None:
    listed = await bench.request("ListPromptsRequest", "ListPromptsResult", "prompts/list", None)
    assert [prompt["name"] for prompt in listed["prompts"]] == ["greet"]
    params = {"name": "greet", "arguments": {"who": offer.PERSON}}
    got = await bench.request("GetPromptRequest", "GetPromptResult", "prompts/get", params)
    assert got["messages"][0]["content"]["text"] == f"Say hello to {offer.PERSON}"


@feature("pagination")
async def pagination(bench: Bench) -> None:
    cursor: str | None = None
    pages = []
    for _ in range(5):
        params = {"cursor": cursor} if cursor else None
        page = await bench.request("ListResourcesRequest", "ListResourcesResult", "resources/list", params)
        pages.append([each["uri"] for each in page["resources"]])
        cursor = page.get("nextCursor")
        if cursor is None:
            break
    assert [len(page) for page in pages] == [3, 3, 1], pages
    assert len({uri for page in pages for uri in page}) == offer.RESOURCES


async def read(bench: Bench, uri: str) -> dict[str, Any]:
    got = await bench.request("ReadResourceRequest", "ReadResourceResult", "resources/read", {"uri": uri})
    found: dict[str, Any] = got["contents"][0]
    return found


@feature("resources")
async def resources(bench: Bench) -> None:
    assert (await read(bench, "era://notes/3"))["text"] == "note 3"
    assert (await read(bench, "era://pixel"))["blob"] == offer.PIXEL


@feature("templates")
async def templates(bench: Bench) -> None:
    kind, result = "ListResourceTemplatesRequest", "ListResourceTemplatesResult"
    listed = await bench.request(kind, result, "resources/templates/list", None)
    assert listed["resourceTemplates"][0]["uriTemplate"] == "era://people/{name}"
    assert (await read(bench, "era://people/Ada"))["text"] == "this is Ada"


@feature("completion")
async def completion(bench: Bench) -> None:
    ref = {"type": "ref/prompt", "name": "greet"}
    params = {"ref": ref, "argument": {"name": "who", "value": "Ad"}}
    got = await bench.request("CompleteRequest", "CompleteResult", "completion/complete", params)
    assert got["completion"]["values"] == ["Ada", "Adele"], got


@feature("progress")
async def progress(bench: Bench) -> None:
    token = uuid.uuid4().hex
    assert said(await bench.call("slow", {"progressToken": token}, steps=3)) == "slow is done"
    for step in (1, 2, 3):
        message = await bench.until("notifications/progress", progressToken=token, progress=float(step))
        # What is done is a number of its own since 2025-03-26: what is being done.
        told = message["params"].get("message")
        assert told == (f"step {step}" if knows("2025-03-26") else told), message


@feature("logging")
async def logging(bench: Bench) -> None:
    await bench.request("SetLevelRequest", "EmptyResult", "logging/setLevel", {"level": "info"})
    assert await bench.say("chatter") == "said"
    heard = await bench.until("notifications/message", data="a warning")
    assert heard["params"]["level"] == "warning"


@feature("cancellation")
async def cancellation(bench: Bench) -> None:
    key = uuid.uuid4().hex
    ended: list[str] = []

    async def endless() -> None:
        try:
            await bench.call("wait", key=key)
        except errors.McpError as error:
            ended.append(error.error.message)

    async with anyio.create_task_group() as group:
        number = bench.session._request_id  # the id that the SDK will give the next request
        group.start_soon(endless)
        await anyio.sleep(0.2)
        body = {"method": "notifications/cancelled", "params": {"requestId": number, "reason": "enough"}}
        sent = types.ClientNotification(types.CancelledNotification.model_validate(body))
        await bench.session.send_notification(sent)
        await _until_cancelled(bench, key)
        group.cancel_scope.cancel()


async def _until_cancelled(bench: Bench, key: str) -> None:
    with anyio.fail_after(PATIENCE):
        while await bench.say("cancelled", key=key) != "yes":
            await anyio.sleep(0.05)


@feature("list changed")
async def list_changed(bench: Bench) -> None:
    key = "extra_" + uuid.uuid4().hex
    bench.heard.clear()
    assert await bench.say("grow", key=key) == "grown"
    await bench.until("notifications/tools/list_changed")
    listed = await bench.request("ListToolsRequest", "ListToolsResult", "tools/list", None)
    assert key in {tool["name"] for tool in listed["tools"]}


@feature("subscribe")
async def subscribe(bench: Bench) -> None:
    await bench.request("SubscribeRequest", "EmptyResult", "resources/subscribe", {"uri": offer.WATCHED})
    bench.heard.clear()
    assert await bench.say("touch", uri=offer.WATCHED) == "touched"
    await bench.until("notifications/resources/updated", uri=offer.WATCHED)
    await bench.request("UnsubscribeRequest", "EmptyResult", "resources/unsubscribe", {"uri": offer.WATCHED})


@feature("form")
async def form(bench: Bench) -> None:
    if not knows("2025-06-18"):
        await refused(bench, "ask")
        return
    assert await bench.say("ask") == f"accept {offer.PERSON}"


@feature("url")
async def url(bench: Bench) -> None:
    if not knows("2025-11-25"):
        await refused(bench, "visit")
        return
    assert await bench.say("visit") == f"accept {offer.VISIT}"
    assert bench.asked[-1] == "url"


async def refused(bench: Bench, tool: str) -> None:
    """Who cannot be asked hears so: an error or a tool's error, soon, and the session lives on."""
    try:
        result = await bench.call(tool)
    except errors.McpError as error:
        result = {"isError": "imed out" not in error.error.message, "error": error.error.message}
    assert result.get("isError"), result
    assert await bench.say("echo", text="still here") == "still here"


@feature("sampling")
async def sampling(bench: Bench) -> None:
    assert await bench.say("think") == offer.THOUGHT


@feature("roots")
async def roots(bench: Bench) -> None:
    assert await bench.say("where") == offer.ROOT


@feature("meta")
async def meta(bench: Bench) -> None:
    assert said(await bench.call("meta", {offer.VENDOR: "there"})) == "there"
    result = await bench.call("echo", text="x")
    assert result["_meta"][offer.VENDOR] == "back", result


@feature("large")
async def large(bench: Bench) -> None:
    assert len(await bench.say("big", bytes=2_000_000)) == 2_000_000


async def error_of(work: Awaitable[Any]) -> Any:
    try:
        result = await work
    except errors.McpError as error:
        return error.error
    raise AssertionError(f"no error but {result}")


@feature("unknown tool")
async def unknown_tool(bench: Bench) -> None:
    error = await error_of(bench.call("no-such-tool"))
    assert error.code == -32602, error
    assert "no-such-tool" in error.message, error


@feature("missing resource")
async def missing_resource(bench: Bench) -> None:
    error = await error_of(read(bench, "era://nowhere"))
    assert error.code == -32002, error


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
            async with connected(job["transport"], where["url"], where["token"]) as bench:
                for feature_name, work in FEATURES.items():
                    cells[feature_name] = await measured(bench, work)
        except BaseException as error:  # noqa: BLE001 - of a session that could not be opened or kept
            why = "; ".join(leaves(error))[:500]
            for feature_name, cell in cells.items():
                if cell == "not reached":
                    cells[feature_name] = why
    return found


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    assert given["version"] == VERSION, VERSION
    print(json.dumps(anyio.run(run, given)))
