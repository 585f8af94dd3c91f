"""A server of the handshake era, on the official SDK 1.x.

usage: handshake_server.py stdio | http PORT | sse PORT
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio

from tests.clients.era import offer

types: Any = importlib.import_module("mcp.types")
lowlevel: Any = importlib.import_module("mcp.server.lowlevel")
models: Any = importlib.import_module("mcp.server.models")
exceptions: Any = importlib.import_module("mcp.shared.exceptions")
message: Any = importlib.import_module("mcp.shared.message")

server: Any = lowlevel.Server(offer.NAME)
grown: list[str] = []
cancelled: set[str] = set()
subscribers: list[tuple[str, Any]] = []
CAPABILITIES = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "logging": {},
    "completions": {},
}


def options() -> Any:
    return models.InitializationOptions(
        server_name=offer.NAME,
        server_version="1",
        capabilities=types.ServerCapabilities.model_validate(CAPABILITIES),
        instructions=offer.INSTRUCTIONS,
    )


Handler = Callable[[Any], Awaitable[dict[str, Any]]]


def serves(request: str, result: str) -> Callable[[Handler], Handler]:
    """Register ``async (params) -> dict`` for a request type of the SDK."""

    def register(function: Handler) -> Handler:
        async def handler(received: Any) -> Any:
            made = await function(received.params)
            return types.ServerResult(getattr(types, result).model_validate(made))

        server.request_handlers[getattr(types, request)] = handler
        return function

    return register


def refuse(code: int, why: str, data: Any = None) -> Exception:
    error: Exception = exceptions.McpError(types.ErrorData(code=code, message=why, data=data))
    return error


@serves("ListToolsRequest", "ListToolsResult")
async def list_tools(params: Any) -> dict[str, Any]:
    extra = [{"name": name, "inputSchema": offer.NO_ARGUMENTS} for name in grown]
    return {"tools": [*offer.TOOLS, *extra]}


@serves("ListPromptsRequest", "ListPromptsResult")
async def list_prompts(params: Any) -> dict[str, Any]:
    return {"prompts": offer.PROMPTS}


@serves("GetPromptRequest", "GetPromptResult")
async def get_prompt(params: Any) -> dict[str, Any]:
    return offer.prompt(params.arguments)


@serves("ListResourcesRequest", "ListResourcesResult")
async def list_resources(params: Any) -> dict[str, Any]:
    return offer.resources_page(params.cursor if params else None)


@serves("ListResourceTemplatesRequest", "ListResourceTemplatesResult")
async def list_templates(params: Any) -> dict[str, Any]:
    return {"resourceTemplates": offer.TEMPLATES}


@serves("ReadResourceRequest", "ReadResourceResult")
async def read_resource(params: Any) -> dict[str, Any]:
    found = offer.read(str(params.uri))
    if found is None:
        raise refuse(-32002, "Resource not found", {"uri": str(params.uri)})
    return found


@serves("SubscribeRequest", "EmptyResult")
async def subscribe(params: Any) -> dict[str, Any]:
    subscribers.append((str(params.uri), server.request_context.session))
    return {}


@serves("UnsubscribeRequest", "EmptyResult")
async def unsubscribe(params: Any) -> dict[str, Any]:
    session = server.request_context.session
    subscribers[:] = [each for each in subscribers if each != (str(params.uri), session)]
    return {}


@serves("SetLevelRequest", "EmptyResult")
async def set_level(params: Any) -> dict[str, Any]:
    return {}


@serves("CompleteRequest", "CompleteResult")
async def complete(params: Any) -> dict[str, Any]:
    return offer.completion(params.argument.value)


@serves("CallToolRequest", "CallToolResult")
async def call_tool(params: Any) -> dict[str, Any]:
    meta = params.meta.model_dump(by_alias=True, exclude_none=True) if params.meta else {}
    arguments = params.arguments or {}
    made = offer.simple(params.name, arguments, meta)
    if made is not None:
        return fitting(made)
    if params.name not in ACTIONS:
        raise refuse(-32602, f"Unknown tool: {params.name}")
    done: dict[str, Any] = await ACTIONS[params.name](arguments, meta)
    return done


def fitting(result: dict[str, Any]) -> dict[str, Any]:
    """As a server does that keeps to the revision it agreed on: newer kinds of content become a text."""
    version = server.request_context.session.client_params.protocolVersion
    unknown = {"audio": version < "2025-03-26", "resource_link": version < "2025-06-18"}
    for index, part in enumerate(result["content"]):
        if unknown.get(part["type"]):
            words = f"[audio] or a link to {part.get('uri')}"
            result["content"][index] = {"type": "text", "text": words}
    return result


async def slow(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    context = server.request_context
    for step in range(1, int(arguments.get("steps", 3)) + 1):
        if "progressToken" in meta:
            await context.session.send_progress_notification(
                meta["progressToken"], step, 3, f"step {step}", str(context.request_id)
            )
        await anyio.sleep(0.01)
    return offer.text("slow is done")


async def chatter(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    context = server.request_context
    await context.session.send_log_message("warning", "a warning", "era", context.request_id)
    return offer.text("said")


async def wait(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    try:
        await anyio.sleep(60)
    except anyio.get_cancelled_exc_class():
        cancelled.add(arguments["key"])
        raise
    return offer.text("nobody cancelled")


async def was_cancelled(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    return offer.text("yes" if arguments["key"] in cancelled else "no")


async def grow(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    grown.append(arguments["key"])
    await server.request_context.session.send_tool_list_changed()
    return offer.text("grown")


async def touch(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    for uri, session in subscribers:
        if uri == arguments["uri"] and session is server.request_context.session:
            await session.send_resource_updated(uri)
    return offer.text("touched")


async def ask(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    context = server.request_context
    answer = await context.session.elicit_form("Who are you?", offer.FORM, context.request_id)
    return offer.text(f"{answer.action} {(answer.content or {}).get('name')}")


async def visit(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    context = server.request_context
    answer = await context.session.elicit_url("Please sign", offer.VISIT, "e1", context.request_id)
    return offer.text(f"{answer.action} {offer.VISIT}")


async def think(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    context = server.request_context
    asked = [{"role": "user", "content": {"type": "text", "text": "What is the answer?"}}]
    messages = [types.SamplingMessage.model_validate(each) for each in asked]
    made = await context.session.create_message(
        messages, max_tokens=10, related_request_id=context.request_id
    )
    return offer.text(made.content.text)


async def where(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    context = server.request_context
    related = message.ServerMessageMetadata(related_request_id=context.request_id)
    question = types.ServerRequest(types.ListRootsRequest())
    made = await context.session.send_request(question, types.ListRootsResult, metadata=related)
    return offer.text(" ".join(str(root.uri) for root in made.roots))


ACTIONS: dict[str, Any] = {
    "slow": slow,
    "chatter": chatter,
    "wait": wait,
    "cancelled": was_cancelled,
    "grow": grow,
    "touch": touch,
    "ask": ask,
    "visit": visit,
    "think": think,
    "where": where,
}


async def stdio() -> None:
    async with importlib.import_module("mcp.server.stdio").stdio_server() as (read, write):
        await server.run(read, write, options())


def streamable() -> Any:
    managers: Any = importlib.import_module("mcp.server.streamable_http_manager")
    applications: Any = importlib.import_module("starlette.applications")
    routing: Any = importlib.import_module("starlette.routing")
    server.create_initialization_options = options
    manager = managers.StreamableHTTPSessionManager(app=server)

    class Endpoint:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await manager.handle_request(scope, receive, send)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with manager.run():
            yield

    return applications.Starlette(routes=[routing.Route("/mcp", Endpoint())], lifespan=lifespan)


def server_sent_events() -> Any:
    """HTTP+SSE of 2024-11-05: two endpoints."""
    sse: Any = importlib.import_module("mcp.server.sse")
    applications: Any = importlib.import_module("starlette.applications")
    routing: Any = importlib.import_module("starlette.routing")
    responses: Any = importlib.import_module("starlette.responses")
    transport = sse.SseServerTransport("/messages/")

    async def stream(request: Any) -> Any:
        async with transport.connect_sse(request.scope, request.receive, request._send) as (read, write):
            await server.run(read, write, options())
        return responses.Response()

    routes = [
        routing.Route("/sse", endpoint=stream),
        routing.Mount("/messages/", app=transport.handle_post_message),
    ]
    return applications.Starlette(routes=routes)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        anyio.run(stdio)
    else:
        made = server_sent_events() if sys.argv[1] == "sse" else streamable()
        uvicorn: Any = importlib.import_module("uvicorn")
        uvicorn.run(made, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
