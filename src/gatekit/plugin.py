"""The public plugin API. Stable: what stands here changes only with a new major version.

A plugin looks at what passes between a client and a server and says what shall become of it. Subclass
``Plugin``, override the hooks that you need, and only those: a hook that is not overridden costs nothing::

    class NoDrop(Plugin):
        class Settings(Options, frozen=True):
            word: str = "drop"

        def on_request(self, subject: Subject, asked: Asked) -> Verdict:
            sql = str(asked.arguments.get("sql", ""))
            return Block("drops a table", "not allowed") if self.options.word in sql.lower() else Pass()

Hooks run in the order of ``priority`` on the way to the server and in reversed order on the way back. A hook
may be a plain function (quick: it runs on the event loop and nothing else does meanwhile) or ``async def``
(it has a deadline). What a hook gets must not be changed in place; return ``Replace``. A hook that fails or
is late is a ``Block`` if the plugin's ``on_error`` is ``closed``, else a ``Pass``.

No verdict may carry matched content in ``reason`` or ``note``: both stand in the audit trail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from gatekit.errors import PluginError
from gatekit.model.call import Pieces

__all__ = (
    "Answer",
    "Answered",
    "Asked",
    "Block",
    "Kind",
    "Listed",
    "OnError",
    "Options",
    "Pass",
    "Pieces",
    "Plugin",
    "PluginError",
    "Questioned",
    "Record",
    "Replace",
    "Said",
    "Subject",
    "Verdict",
    "Verdicts",
)

Kind = Literal["security", "middleware", "audit"]
"""``security`` judges content and fails closed by default; ``middleware`` changes or answers, and fails
closed by default as well; ``audit`` only looks (its verdicts are ignored) and fails open by default."""
OnError = Literal["open", "closed"]


# -- what a hook may say ---------------------------------------------------------------------------------


class Pass(Struct, frozen=True):
    """Go on. ``note``: a few words for the audit, e.g. ``flag:2``; without one a Pass is not recorded."""

    note: str = ""


class Replace(Struct, frozen=True):
    """Go on with something else.

    ``content``: the new arguments (on_request), result or error object (on_response), items (on_list),
    params (on_notification, on_question), answer (on_answer); None keeps what is there. A result may be
    given as ``Pieces`` of JSON text, which are passed on as they are: they must hold one JSON object.
    ``name``: on_request only, what to call instead. What is forwarded is authorised anew.
    """

    content: Mapping[str, Any] | Sequence[Any] | Pieces | None = None
    name: str = ""
    note: str = ""


class Answer(Struct, frozen=True):
    """on_request, on_question: this is the result, nobody else is asked. Plugins that the request had passed
    before see it like a server's result."""

    result: Mapping[str, Any]
    note: str = ""


class Block(Struct, frozen=True):
    """No. ``reason`` is for the audit, ``public`` for the caller. A notification is dropped silently."""

    reason: str
    public: str = ""
    note: str = ""
    missing: bool = False
    """on_request: the caller hears what it would hear if there were no such tool, prompt or resource."""


Verdict = Pass | Replace | Answer | Block
Verdicts = Verdict | Awaitable[Verdict]


# -- what a hook sees ------------------------------------------------------------------------------------


class Subject(Struct, frozen=True, kw_only=True):
    """Who asks, through what, and where."""

    principal_id: str = ""
    """Stable id of the person or service account; empty where a shared server speaks to nobody in
    particular."""
    username: str = ""
    groups: frozenset[str] = frozenset()
    role: str = ""
    """Its role in Gatekit itself: ``member``, ``auditor``, ``admin`` or ``owner``."""
    client_id: str = ""
    client_name: str = ""
    """Name that the client registered with; nobody has checked it."""
    credential: str = ""
    """``access_token``, ``api_key`` or ``local``."""
    server: str
    """Name of the server as in the configuration; empty for what ``/mcp`` itself answers."""
    session: str = ""
    request_id: str = ""
    address: str = ""
    """Network peer."""


class Asked(Struct, frozen=True, kw_only=True):
    """One request of a client."""

    method: str
    """E.g. ``tools/call``."""
    name: str = ""
    """Tool, prompt or resource URI as the server knows it; empty where the method names none."""
    arguments: Mapping[str, Any]
    """``arguments`` of tools/call and prompts/get; of any other method its params."""
    meta: Mapping[str, Any] = {}
    """``_meta`` of the request."""
    extra: Mapping[str, Any] = {}
    """The params besides name, arguments and ``_meta``."""
    tool: Callable[[str], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None] | None = None
    """tools/call: gives a tool of the server by name, as the server lists it; None if it lists no such tool.
    Awaitable (``inspect.isawaitable``) if the server must be started or asked first; the list is kept for
    minutes. Not to be changed."""


class Answered:
    """How a request ended. The result is decoded only if somebody reads ``body``."""

    __slots__ = ("_body", "_raw", "kind", "method", "name")

    def __init__(
        self,
        method: str,
        name: str,
        body: Mapping[str, Any] | None = None,
        *,
        kind: Literal["result", "error"] = "result",
        raw: Pieces | None = None,
    ) -> None:
        self.method = method
        self.name = name
        self.kind = kind
        """``error``: a JSON-RPC error; ``body`` then has ``code``, ``message`` and perhaps ``data``."""
        self._body = body
        self._raw = raw

    @property
    def body(self) -> Mapping[str, Any]:
        """The result. Raises ValueError if the server sent no JSON object."""
        if self._body is None:
            try:
                decoded = msgspec.json.decode(bytes(self._raw) if self._raw is not None else b"{}")
            except msgspec.DecodeError as error:
                raise ValueError("the result is not JSON") from error
            if not isinstance(decoded, dict):
                raise ValueError("the result is no object")
            self._body = decoded
        return self._body

    @property
    def decoded(self) -> bool:
        """Whether ``body`` costs nothing any more."""
        return self._body is not None

    @property
    def pieces(self) -> Pieces:
        """The result as JSON text, in pieces as they came: for scanning what is large without decoding."""
        if self._raw is None:
            self._raw = Pieces((msgspec.json.encode(self._body),))
        return self._raw

    @property
    def size(self) -> int:
        """Bytes of ``pieces``."""
        return len(self.pieces)


class Listed(Struct, frozen=True, kw_only=True):
    """A page of a server's list, before it is shown to this person."""

    method: str
    """``tools/list``, ``prompts/list``, ``resources/list`` or ``resources/templates/list``."""
    key: str
    """``tools``, ``prompts``, ``resources`` or ``resourceTemplates``."""
    items: tuple[Mapping[str, Any], ...]


class Said(Struct, frozen=True, kw_only=True):
    """A notification."""

    method: str
    params: Mapping[str, Any]
    to: Literal["client", "server"]


class Questioned(Struct, frozen=True, kw_only=True):
    """A request of the server to the client: sampling, elicitation or roots, in whichever revision."""

    method: str
    """Empty in ``on_answer`` if it is not known any more."""
    params: Mapping[str, Any]


class Record(Struct, frozen=True, kw_only=True):
    """How a call was recorded in the audit trail; ``event`` is the record itself (docs/audit.md)."""

    event: Mapping[str, Any]


# -- the plugin ------------------------------------------------------------------------------------------


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a plugin's settings: a Struct whose fields are the keys that an operator may write. Types and
    bounds are checked before the plugin is made (``Annotated[int, msgspec.Meta(ge=1)]``). Say ``frozen=True``
    in the subclass as well."""


HOOKS = (
    "on_request",
    "on_response",
    "on_list",
    "on_notification",
    "on_question",
    "on_answer",
    "on_record",
)
"""Every hook."""


class Plugin:
    """Base of all plugins. One object serves all calls, concurrently."""

    kind: ClassVar[Kind] = "security"
    priority: ClassVar[int] = 50
    """Lower comes first on the way to the server. The operator may say otherwise."""
    deadline: ClassVar[float] = 5.0
    """Seconds that an asynchronous hook has. The operator may say otherwise."""

    class Settings(Options, frozen=True):
        """No options."""

    def __init__(self, options: Any, name: str = "") -> None:
        """``options``: an instance of ``Settings``; ``name``: the entry's name in the file. Raise
        ``PluginError`` for options that make no sense together. No input or output here."""
        self.options = options
        self.name = name

    @property
    def hooks(self) -> frozenset[str]:
        """Which hooks to call; by default those that the class overrides."""
        return frozenset(hook for hook in HOOKS if getattr(type(self), hook) is not getattr(Plugin, hook))

    def on_request(self, subject: Subject, asked: Asked) -> Verdicts:
        """A request of the client, after it was authorised and before the server has it. Also for
        ``initialize`` and ``server/discover``."""
        raise NotImplementedError

    def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdicts:
        """A result or error of the server (lists: see on_list). ``asked``: as the server was asked."""
        raise NotImplementedError

    def on_list(self, subject: Subject, listed: Listed) -> Verdicts:
        """A page of a list. What is renamed here must be named back in on_request."""
        raise NotImplementedError

    def on_notification(self, subject: Subject, said: Said) -> Verdicts:
        """A notification in either direction: progress, log messages, changes."""
        raise NotImplementedError

    def on_question(self, subject: Subject, questioned: Questioned) -> Verdicts:
        """The server asks the client something."""
        raise NotImplementedError

    def on_answer(self, subject: Subject, questioned: Questioned, answered: Answered) -> Verdicts:
        """The client's answer to that."""
        raise NotImplementedError

    def on_record(self, subject: Subject, record: Record) -> Awaitable[None] | None:
        """A call was recorded and is about to be answered. If this fails and the plugin is fail-closed, the
        answer is withheld."""
        raise NotImplementedError

    async def close(self) -> None:
        """The plugin is not used any more: the gateway stops, or its entry was changed or removed."""


Factory = Callable[[Any, str], Plugin]
