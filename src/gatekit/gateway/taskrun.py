"""Tasks where client and server do not speak of them in the same way: the gateway carries the task out, and
the client gets the plain result of the call that it made.

- A server of 2025-11-25 with a tool that runs as a task *only*, and a client of another revision: the call is
  made as a task, its state is asked for, its result fetched (``plain``).
- A stateless server that serves a call only to clients that declare the extension, and a client of the
  handshake era: the same by the methods of the extension (``extended``); what it asks for is put to the
  client.

A tool that can do without a task is called without one. A caller that gives up cancels the task by
``tasks/cancel``, never by a notification (both specifications: MUST NOT).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from gatekit.errors import BadAnswer
from gatekit.gateway.faces import as_object
from gatekit.gateway.router import Target
from gatekit.gateway.toolbook import Toolbook
from gatekit.model.call import Call, Fault, Notice, Outcome, Result
from gatekit.protocol.era import bridge, stateless
from gatekit.protocol.methods import METHODS, TASKS_EXTENSION
from gatekit.upstream.link import Link

_FETCH: Final = "tasks/result"
_RELATED: Final = "io.modelcontextprotocol/related-task"
_WORKING: Final = "working"
_ASKS: Final = "input_required"
_SHORTEST, _LONGEST = 0.05, 5.0
"""Seconds between two questions about the state of a task, whatever its server suggests."""
_FIRST: Final = 0.25
_CANCELLED: Final = Fault(-31013, "the task was cancelled")
_NO_STATE: Final = "the server's task has no usable state"

Ask = Callable[[dict[str, tuple[str, dict[str, Any]]]], Awaitable[dict[str, dict[str, Any]] | Outcome]]
"""Puts questions to the client: its answers, or how the call ends without."""


# -- a server of 2025-11-25 --------------------------------------------------------------------------------


async def needed(call: Call, target: Target, link: Link, books: Toolbook) -> bool:
    """Whether a tool has to be called as a task by the gateway, because it cannot be called otherwise and the
    client does not know how, or was not told: views offer no tasks."""
    if "tasks" not in link.capabilities or link.era != "handshake" or call.method != "tools/call":
        return False
    if "task" in call.params or (target.view is None and METHODS[_FETCH].known_in(call.client.version)):
        return False
    known = (await books.of(link)).tools.get(target.name)
    return known is not None and known.task_only


def plain(
    link: Link, method: str, params: dict[str, Any], on_notice: Callable[[Notice], None]
) -> asyncio.Future[Result | Fault]:
    """Like ``Link.call``, by way of a task."""
    return asyncio.ensure_future(_plain(link, method, params, on_notice))


async def _plain(
    link: Link, method: str, params: dict[str, Any], on_notice: Callable[[Notice], None]
) -> Result | Fault:
    outcome = await link.call(method, {**params, "task": {}}, on_notice)
    if isinstance(outcome, Fault):
        return outcome
    body = as_object(outcome.body)
    task = body.get("task")
    if not isinstance(task, dict):
        return Result(body)  # it did without after all
    task_id = _id_of(task)
    try:
        while task.get("status") == _WORKING:
            await asyncio.sleep(_pause(task.get("pollInterval")))
            state = await link.call("tasks/get", {"taskId": task_id})
            if isinstance(state, Fault):
                return state
            task = as_object(state.body)
        # Ended, or the server wants to ask something: it does so while the result is waited for.
        end = await link.call(_FETCH, {"taskId": task_id})
    except asyncio.CancelledError:
        _cancel(link, task_id)
        raise
    return end if isinstance(end, Fault) else Result(_unrelated(as_object(end.body)))


def _unrelated(body: dict[str, Any]) -> dict[str, Any]:
    """A result without the mark of the task, of which the client knows nothing."""
    meta = body.get("_meta")
    if not isinstance(meta, dict) or _RELATED not in meta:
        return body
    rest = {key: value for key, value in meta.items() if key != _RELATED}
    bare = {key: value for key, value in body.items() if key != "_meta"}
    return {**bare, "_meta": rest} if rest else bare


# -- a stateless server with the extension -----------------------------------------------------------------


def wants_extension(outcome: Outcome) -> bool:
    """Whether a stateless server has refused a call for want of the tasks extension; it did not run then."""
    if not isinstance(outcome, Fault) or outcome.code != bridge.CAPABILITY_REQUIRED:
        return False
    wanted = outcome.data.get("requiredCapabilities") if isinstance(outcome.data, dict) else None
    extensions = wanted.get("extensions") if isinstance(wanted, dict) else None
    return isinstance(extensions, dict) and TASKS_EXTENSION in extensions


async def extended(
    link: Link, method: str, params: dict[str, Any], on_notice: Callable[[Notice], None], ask: Ask
) -> Outcome:
    """The call again, the extension declared. ``params`` as they were sent. Raises LinkError."""
    outcome = await link.call(method, _declaring(params), on_notice)
    if isinstance(outcome, Fault):
        return outcome
    task = as_object(outcome.body)
    if task.get("resultType") != "task":
        return Result(task)
    task_id = _id_of(task)
    answered: set[str] = set()
    try:
        while True:
            status = task.get("status")
            if status not in (_WORKING, _ASKS):
                return _end(task)
            if status == _ASKS:
                stopped = await _answer(link, params, task, task_id, ask, answered)
                if stopped is not None:
                    _cancel(link, task_id, params)
                    return stopped
            await asyncio.sleep(_pause(task.get("pollIntervalMs")))
            state = await link.call("tasks/get", _about(params, {"taskId": task_id}))
            if isinstance(state, Fault):
                return state
            task = as_object(state.body)
    except asyncio.CancelledError:
        _cancel(link, task_id, params)
        raise


async def _answer(
    link: Link, params: dict[str, Any], task: dict[str, Any], task_id: str, ask: Ask, answered: set[str]
) -> Outcome | None:
    """Put what the task asks for to the client and pass the answers on; how the call ends if that fails."""
    listed = task.get("inputRequests")
    requests = {}
    for key, request in listed.items() if isinstance(listed, dict) else ():
        read = bridge.read_request(request)
        if read is None:
            raise BadAnswer("the server asked for something unknown", "inputRequests with an unknown method")
        if key not in answered:  # keys are unique for the life of a task, and states come late
            requests[key] = read
    if not requests:
        return None
    answers = await ask(requests)
    if not isinstance(answers, dict):
        return answers
    answered.update(answers)
    update = _about(params, {"taskId": task_id, "inputResponses": answers})
    outcome = await link.call("tasks/update", update)
    return outcome if isinstance(outcome, Fault) else None


def _end(task: dict[str, Any]) -> Outcome:
    status, result, error = task.get("status"), task.get("result"), task.get("error")
    if status == "completed" and isinstance(result, dict):
        return Result(result)
    if status == "failed" and isinstance(error, dict):
        code, message = error.get("code"), error.get("message")
        return Fault(code if type(code) is int else -32603, str(message), error.get("data"))
    if status == "cancelled":
        return _CANCELLED
    raise BadAnswer(_NO_STATE, f"task with status {status!r:.40}")


def _declaring(params: dict[str, Any]) -> dict[str, Any]:
    meta = params.get("_meta", {})
    capabilities = meta.get(stateless.META_CAPABILITIES, {})
    extensions = {**capabilities.get("extensions", {}), TASKS_EXTENSION: {}}
    told = {**capabilities, "extensions": extensions}
    return {**params, "_meta": {**meta, stateless.META_CAPABILITIES: told}}


def _about(params: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Params of a further request: its envelope is that of the call, less what belongs to that alone."""
    meta = {key: value for key, value in params.get("_meta", {}).items() if key != "progressToken"}
    return _declaring({**about, "_meta": meta})


# -- both --------------------------------------------------------------------------------------------------


def _id_of(task: dict[str, Any]) -> str:
    task_id = task.get("taskId")
    if not isinstance(task_id, str):
        raise BadAnswer(_NO_STATE, "task without taskId")
    return task_id


def _pause(suggested: Any) -> float:
    """Seconds; ``suggested`` in milliseconds."""
    if type(suggested) not in (int, float):
        return _FIRST
    return float(min(max(suggested / 1000, _SHORTEST), _LONGEST))


def _cancel(link: Link, task_id: str, params: dict[str, Any] | None = None) -> None:
    about: dict[str, Any] = {"taskId": task_id}
    link.call("tasks/cancel", about if params is None else _about(params, about)).add_done_callback(_unheard)


def _unheard(future: asyncio.Future[Result | Fault]) -> None:
    if not future.cancelled():
        future.exception()
