"""A server of the stateless era alone, on the official SDK 2.x; it refuses ``initialize``.

usage: stateless_server.py stdio | http PORT
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import anyio

from tests.clients.era import offer

types: Any = importlib.import_module("mcp_types")
lowlevel: Any = importlib.import_module("mcp.server.lowlevel")
subscriptions: Any = importlib.import_module("mcp.server.subscriptions")
exceptions: Any = importlib.import_module("mcp.shared.exceptions")

grown: list[str] = []
cancelled: set[str] = set()
bus = subscriptions.InMemorySubscriptionBus()


async def list_tools(context: Any, params: Any) -> Any:
    extra = [{"name": name, "inputSchema": offer.NO_ARGUMENTS} for name in grown]
    # The lists differ from call to call, so nobody may keep them.
    return types.ListToolsResult.model_validate({"tools": [*offer.TOOLS, *extra]})


async def list_prompts(context: Any, params: Any) -> Any:
    return types.ListPromptsResult.model_validate({"prompts": offer.PROMPTS})


async def get_prompt(context: Any, params: Any) -> Any:
    return types.GetPromptResult.model_validate(offer.prompt(params.arguments))


async def list_resources(context: Any, params: Any) -> Any:
    return types.ListResourcesResult.model_validate(offer.resources_page(params.cursor if params else None))


async def list_templates(context: Any, params: Any) -> Any:
    return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": offer.TEMPLATES})


async def read_resource(context: Any, params: Any) -> Any:
    found = offer.read(str(params.uri))
    if found is None:
        raise exceptions.MCPError(-32602, "Resource not found", {"uri": str(params.uri)})
    return types.ReadResourceResult.model_validate(found)


async def complete(context: Any, params: Any) -> Any:
    return types.CompleteResult.model_validate(offer.completion(params.argument.value))


async def call_tool(context: Any, params: Any) -> Any:
    arguments = params.arguments or {}
    made = offer.simple(params.name, arguments, dict(context.meta or {}))
    if made is None and params.name in ACTIONS:
        made = await ACTIONS[params.name](context, arguments)
    if made is None and params.name in QUESTIONS:
        return asked(params)
    if made is None:
        raise exceptions.MCPError(-32602, f"Unknown tool: {params.name}")
    return types.CallToolResult.model_validate(made)


QUESTIONS: dict[str, dict[str, Any]] = {
    "ask": {
        "method": "elicitation/create",
        "params": {"message": "Who are you?", "requestedSchema": offer.FORM},
    },
    "visit": {
        "method": "elicitation/create",
        "params": {"mode": "url", "url": offer.VISIT, "message": "Please sign"},
    },
    "think": {
        "method": "sampling/createMessage",
        "params": {
            "messages": [{"role": "user", "content": {"type": "text", "text": "What is the answer?"}}],
            "maxTokens": 10,
        },
    },
    "where": {"method": "roots/list"},
}


def asked(params: Any) -> Any:
    """The first round asks; the second one, which must bring our state back, answers."""
    answers = params.input_responses
    if not answers:
        question = {"q": QUESTIONS[params.name]}
        made = {
            "resultType": "input_required",
            "inputRequests": question,
            "requestState": f"era {params.name}",
        }
        return types.InputRequiredResult.model_validate(made)
    if params.request_state != f"era {params.name}":
        raise exceptions.MCPError(-32602, "not the state that was given")
    answer = answers["q"].model_dump(by_alias=True, mode="json", exclude_none=True)
    return types.CallToolResult.model_validate(offer.text(told(params.name, answer)))


def told(name: str, answer: dict[str, Any]) -> str:
    if name == "ask":
        return f"{answer['action']} {answer.get('content', {}).get('name')}"
    if name == "visit":
        return f"{answer['action']} {offer.VISIT}"
    if name == "think":
        return str(answer["content"]["text"])
    return " ".join(root["uri"] for root in answer["roots"])


async def slow(context: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    for step in range(1, int(arguments.get("steps", 3)) + 1):
        await context.session.report_progress(step, 3, f"step {step}")
        await anyio.sleep(0.01)
    return offer.text("slow is done")


async def chatter(context: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    await context.session.send_log_message("warning", "a warning", "era", context.request_id)
    return offer.text("said")


async def wait(context: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        await anyio.sleep(60)
    except anyio.get_cancelled_exc_class():
        cancelled.add(arguments["key"])
        raise
    return offer.text("nobody cancelled")


async def was_cancelled(context: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    return offer.text("yes" if arguments["key"] in cancelled else "no")


async def grow(context: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    grown.append(arguments["key"])
    await bus.publish(subscriptions.ToolsListChanged())
    return offer.text("grown")


async def touch(context: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    await bus.publish(subscriptions.ResourceUpdated(uri=arguments["uri"]))
    return offer.text("touched")


ACTIONS: dict[str, Any] = {
    "slow": slow,
    "chatter": chatter,
    "wait": wait,
    "cancelled": was_cancelled,
    "grow": grow,
    "touch": touch,
}


async def refuse_handshake(context: Any, call_next: Any) -> Any:
    if context.method == "initialize":
        raise exceptions.MCPError(-32022, "Unsupported protocol version", {"supported": ["2026-07-28"]})
    return await call_next(context)


server: Any = lowlevel.Server(
    offer.NAME,
    version="1",
    instructions=offer.INSTRUCTIONS,
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_list_resources=list_resources,
    on_list_resource_templates=list_templates,
    on_read_resource=read_resource,
    on_list_prompts=list_prompts,
    on_get_prompt=get_prompt,
    on_completion=complete,
    on_subscriptions_listen=subscriptions.ListenHandler(bus),
)
server.middleware.append(refuse_handshake)


async def set_level(context: Any, params: Any) -> Any:
    """Not of this revision; the SDK declares the logging capability for who has it."""
    return types.EmptyResult()


server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)


async def stdio() -> None:
    async with importlib.import_module("mcp.server.stdio").stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        anyio.run(stdio)
    else:
        uvicorn: Any = importlib.import_module("uvicorn")
        port = int(sys.argv[2])
        uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=port, log_level="warning")
