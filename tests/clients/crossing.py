"""Tools of the conformance fixture in the words of the other era, under the names that the suite calls.

A handshake-era server asks in the middle of a call; the fixture's own ``test_input_required_result_*`` tools
can only return ``input_required``. A stateless server returns it; the fixture's ``test_elicitation`` and
``test_sampling`` can only ask. ``for_handshake`` and ``for_stateless`` replace those, so that a client of the
other era can be served.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server.elicitation import render_elicitation_schema
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    SamplingMessage,
    TextContent,
)

NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
OK = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
COLOR = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
CONTEXT = {"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}


def _message(words: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=TextContent(type="text", text=words))


# -- a handshake-era server that asks ----------------------------------------------------------------------


async def _ask(ctx: Context[Any], words: str, schema: dict[str, Any]) -> dict[str, Any]:
    answer = await ctx.session.elicit_form(words, schema, related_request_id=ctx.request_id)
    return dict(answer.content or {})


async def _sample(ctx: Context[Any], words: str) -> str:
    made: Any = await ctx.session.create_message(  # deprecated, and of this era
        messages=[_message(words)], max_tokens=100, related_request_id=ctx.request_id
    )
    return str(made.content.text)


async def _roots(ctx: Context[Any]) -> int:
    return len((await ctx.session.list_roots()).roots)


async def ask_name(ctx: Context[Any]) -> str:
    """Asks for a name"""
    return f"Hello, {(await _ask(ctx, 'What is your name?', NAME)).get('name')}!"


async def ask_model(ctx: Context[Any]) -> str:
    """Asks the model"""
    return f"Model said: {await _sample(ctx, 'What is the capital of France?')}"


async def ask_roots(ctx: Context[Any]) -> str:
    """Asks for the roots"""
    return f"Client exposed {await _roots(ctx)} root(s)."


async def confirm(ctx: Context[Any]) -> str:
    """Asks for a confirmation"""
    await _ask(ctx, "Please confirm", OK)
    return "state-ok: confirmation received"


async def ask_all(ctx: Context[Any]) -> str:
    """Asks three things at once"""
    await asyncio.gather(
        _ask(ctx, "What is your name?", NAME), _sample(ctx, "Generate a greeting"), _roots(ctx)
    )
    return "All inputs received."


async def ask_twice(ctx: Context[Any]) -> str:
    """Asks one thing after the other"""
    name = (await _ask(ctx, "Step 1: What is your name?", NAME)).get("name")
    color = (await _ask(ctx, "Step 2: What is your favorite color?", COLOR)).get("color")
    return f"{name} likes {color}."


async def ask_what_can_be_answered(ctx: Context[Any]) -> str:
    """Asks only what the client declared"""
    declared = ctx.session.client_capabilities
    if declared is not None and declared.sampling is not None:
        await _sample(ctx, "Say hello")
    if declared is not None and declared.elicitation is not None:
        await _ask(ctx, "What is your name?", NAME)
    return "asked"


async def ask_for_prompt(ctx: Context[Any]) -> list[UserMessage]:
    """A prompt that asks"""
    given = (await _ask(ctx, "What context should the prompt use?", CONTEXT)).get("context")
    return [UserMessage(role="user", content=TextContent(type="text", text=f"Use this context: {given}"))]


_MID_CALL = {
    "elicitation": ask_name,
    "sampling": ask_model,
    "list_roots": ask_roots,
    "request_state": confirm,
    "tampered_state": confirm,
    "multiple_inputs": ask_all,
    "multi_round": ask_twice,
    "capabilities": ask_what_can_be_answered,
}


def for_handshake(fixture: Any) -> None:
    """Replace what can only return ``input_required``."""
    server = fixture.mcp
    for suffix, function in _MID_CALL.items():
        name = f"test_input_required_result_{suffix}"
        server.remove_tool(name)
        server.add_tool(function, name=name)
    server.remove_prompt("test_input_required_result_prompt")
    server.prompt(name="test_input_required_result_prompt")(ask_for_prompt)


# -- a stateless server that returns what it needs ---------------------------------------------------------


def _form(words: str, schema: dict[str, Any]) -> InputRequiredResult:
    params = ElicitRequestFormParams(message=words, requested_schema=schema)
    return InputRequiredResult(input_requests={"answer": ElicitRequest(params=params)})


def _told(ctx: Context[Any]) -> Any:
    return (ctx.input_responses or {}).get("answer")


def for_stateless(fixture: Any) -> None:
    """Replace what can only ask in the middle of a call."""
    server = fixture.mcp

    async def test_sampling(prompt: str, ctx: Context[Any]) -> str | InputRequiredResult:
        """Asks the model"""
        answer = _told(ctx)
        if answer is not None:
            return f"LLM response: {answer.content.text}"
        params = CreateMessageRequestParams(messages=[_message(prompt)], max_tokens=100)
        return InputRequiredResult(input_requests={"answer": CreateMessageRequest(params=params)})

    async def test_elicitation(message: str, ctx: Context[Any]) -> str | InputRequiredResult:
        """Asks the person"""
        answer = _told(ctx)
        schema = render_elicitation_schema(fixture.UserResponse)
        return _form(message, schema) if answer is None else f"User response: action={answer.action}"

    async def test_elicitation_sep1034_defaults(ctx: Context[Any]) -> str | InputRequiredResult:
        """Asks with defaults"""
        answer = _told(ctx)
        schema = render_elicitation_schema(fixture.SEP1034DefaultsSchema)
        return _form("Please", schema) if answer is None else f"Elicitation result: action={answer.action}"

    async def test_elicitation_sep1330_enums(ctx: Context[Any]) -> str | InputRequiredResult:
        """Asks with choices"""
        answer = _told(ctx)
        schema = render_elicitation_schema(fixture.EnumSchemasTestSchema)
        return _form("Please", schema) if answer is None else f"Elicitation completed: action={answer.action}"

    for function in (
        test_sampling,
        test_elicitation,
        test_elicitation_sep1034_defaults,
        test_elicitation_sep1330_enums,
    ):
        server.remove_tool(function.__name__)
        server.add_tool(function)
