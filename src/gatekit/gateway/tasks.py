"""Whose task is that: the gateway remembers who started which task, because task ids are no secret between
people who share an instance (MCP 2025-11-25, tasks: receivers MUST bind tasks to the authorization context).

Task ids pass unchanged. A task belongs to the person and the client that started it, at the endpoint where
they did; for everybody else it does not exist, in lists neither. Whoever lost the right to the tool has lost
its tasks. The memory is bounded and a task in it expires; one that was forgotten is not found.

Covers the tasks of 2025-11-25 and those of the extension ``io.modelcontextprotocol/tasks``. Where client and
server do not speak of tasks in the same way, ``taskrun`` carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gatekit.errors import LinkError
from gatekit.gateway.faces import as_object
from gatekit.gateway.published import Published
from gatekit.gateway.router import Route, Target, Unknown
from gatekit.model.access import Access
from gatekit.model.call import Call, Held, Large, Outcome, Result
from gatekit.model.ports import Clock
from gatekit.protocol.methods import TASKS_EXTENSION

METHODS: Final = frozenset(("tasks/get", "tasks/update", "tasks/cancel", "tasks/result"))
"""Requests about one task."""
_LAST: Final = "tasks/result"
"""Answered when the task has ended (MCP 2025-11-25); to cancel one may be no more than a wish."""
_ENDED: Final = frozenset(("completed", "failed", "cancelled"))
LIST: Final = "tasks/list"
DEFAULT_LIFE: Final = 86_400.0
"""Seconds that a task without a ``ttl`` is remembered after it was last asked for."""
LONGEST_LIFE: Final = 7 * 86_400.0
_GRACE: Final = 60.0
_PER_OWNER: Final = 1000
_IN_ALL: Final = 50_000


class Owned(Struct):
    """One task."""

    server: str
    """``""``: two servers behind the endpoint use the same id, and nobody can tell them apart."""
    tool: str
    asked: str
    """The tool's name at the endpoint, where that is another one."""
    expires: float
    held: Held | None = None
    """Its place among the calls that run, until its end was seen."""

    def over(self) -> None:
        if self.held is not None:
            self.held.release()
            self.held = None


_Owner = tuple[str, str, str]
"""Principal, client, endpoint."""


class _Kind(Struct):
    resultType: str = ""


_kind = msgspec.json.Decoder(_Kind)


class Tasks:
    """Who owns which task. Knows nothing of what a task does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owners: dict[_Owner, dict[str, Owned]] = {}
        self._count = 0
        self._swept = 0.0

    def __len__(self) -> int:
        return self._count

    # -- requests -----------------------------------------------------------------------------------------

    def located(self, call: Call, target: Route, tables: Published) -> Route:
        """Where a request about a task goes: to the server of its owner's task, under the right to its tool.

        ``target`` is what the router made of it.
        """
        task_id = call.params.get("taskId")
        if call.method == LIST or not isinstance(task_id, str):
            return target
        owned = self._find(call, task_id)
        server = tables.servers.get(owned.server) if owned is not None else None
        if owned is None or server is None:
            return Unknown("task", task_id)
        view = None if call.server in tables.servers else tables.view(call.server)
        return Target(server, "tool", owned.tool, call.params, view, owned.asked)

    def filtered(self, call: Call, outcome: Outcome) -> Outcome:
        """``tasks/list`` without what belongs to others. Raises LinkError for a result that is none."""
        if not isinstance(outcome, Result):
            return outcome
        body = as_object(outcome.body)
        listed = body.get("tasks")
        if not isinstance(listed, list):
            return outcome
        mine = [each for each in listed if isinstance(each, dict) and self._mine(call, each.get("taskId"))]
        return Result({**body, "tasks": mine})

    def owns(self, call: Call, server: str, task_id: object) -> bool:
        """Whether a task of ``server`` belongs to the caller (for ``subscriptions/listen``)."""
        return self.owned(call.access, call.server, server, task_id)

    def owned(self, access: Access, endpoint: str, server: str, task_id: object) -> bool:
        """Whether a task of ``server`` belongs to somebody at an endpoint."""
        found = self._of(access, endpoint, task_id) if isinstance(task_id, str) else None
        return found is not None and found.server == server

    def _mine(self, call: Call, task_id: Any) -> bool:
        return isinstance(task_id, str) and self._find(call, task_id) is not None

    def _find(self, call: Call, task_id: str) -> Owned | None:
        return self._of(call.access, call.server, task_id)

    def _of(self, access: Access, endpoint: str, task_id: str) -> Owned | None:
        owned = self._owners.get((access.principal.id, access.client_id, endpoint), {}).get(task_id)
        now = self._clock.monotonic()
        if owned is None or owned.expires <= now:
            return None
        owned.expires = max(owned.expires, now + _GRACE)
        return owned

    # -- results ------------------------------------------------------------------------------------------

    def note(self, call: Call, target: Route, outcome: Outcome) -> None:
        """Remember the task that such a call (``may_start``) has started, before the caller hears of it."""
        if not isinstance(target, Target) or not isinstance(outcome, Result):
            return
        handle = started(call, outcome)
        task_id = handle.get("taskId")
        if not isinstance(task_id, str):
            return
        mine = self._owners.setdefault(_owner(call), {})
        known = mine.pop(task_id, None)
        server = target.server.name
        if known is not None:
            self._count -= 1
            known.over()
            if known.server != server and known.expires > self._clock.monotonic():
                server = ""
        held = call.held.moved() if call.held is not None else None
        mine[task_id] = Owned(
            server, target.name, target.asked, self._clock.monotonic() + _life(handle), held
        )
        self._count += 1
        if len(mine) > _PER_OWNER:
            self._forget(mine, next(iter(mine)))
        if self._count > _IN_ALL:
            self._evict()

    def heard(self, call: Call, outcome: Outcome) -> None:
        """What the server says of a task may be that it has ended."""
        owned = self._find(call, str(call.params.get("taskId")))
        if owned is None or owned.held is None or not isinstance(outcome, Result):
            return
        if call.method == _LAST or as_object(outcome.body).get("status") in _ENDED:
            owned.over()

    def sweep(self) -> None:
        """Forget what has expired; looks once in a while."""
        now = self._clock.monotonic()
        if now - self._swept < _GRACE:
            return
        self._swept = now
        for owner, mine in list(self._owners.items()):
            for task_id in [key for key, owned in mine.items() if owned.expires <= now]:
                self._forget(mine, task_id)
            if not mine:
                del self._owners[owner]

    def _evict(self) -> None:
        """Make room at the expense of whoever has most."""
        while self._count > _IN_ALL:
            mine = max(self._owners.values(), key=len)
            self._forget(mine, next(iter(mine)))

    def _forget(self, mine: dict[str, Owned], task_id: str) -> None:
        mine.pop(task_id).over()
        self._count -= 1


def may_start(call: Call) -> bool:
    """Whether the answer to this call can be a task. Costs nearly nothing for a call that cannot."""
    if call.method != "tools/call":
        return False
    if call.client.era == "handshake":
        return "task" in call.params
    return bool(call.client.capabilities) and declares(call.client.capabilities)


def declares(capabilities: Mapping[str, Any]) -> bool:
    """Whether a client of the stateless era knows tasks (SEP-2663)."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, dict) and TASKS_EXTENSION in extensions


def started(call: Call, outcome: Result) -> dict[str, Any]:
    """The handle of the task that a call has started; empty if it ended in another way."""
    body = outcome.body
    if isinstance(body, Large):
        return {}  # a handle is a few lines
    try:
        if call.client.era == "handshake":
            handle = as_object(body).get("task")
            return handle if isinstance(handle, dict) else {}
        if isinstance(body, Raw) and _kind.decode(body).resultType != "task":
            return {}
        decoded = as_object(body)
    except (LinkError, msgspec.DecodeError):
        return {}
    return decoded if decoded.get("resultType") == "task" else {}


def _owner(call: Call) -> _Owner:
    return call.access.principal.id, call.access.client_id, call.server


def _life(handle: Mapping[str, Any]) -> float:
    """Seconds that a task is kept: as long as its server keeps it, within reason."""
    ttl = handle.get("ttlMs", handle.get("ttl"))
    if type(ttl) not in (int, float) or ttl <= 0:
        return DEFAULT_LIFE
    return float(min(ttl / 1000, LONGEST_LIFE)) + _GRACE
