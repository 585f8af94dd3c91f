"""Plugins that run elsewhere: what they are told and what they may answer, as JSON.

A message has ``version``, ``hook``, ``subject`` and what the hook is about (``asked``, ``answered``,
``listed``, ``said``, ``questioned``, ``event``), with the members of the structs in ``gatekit.plugin``. The
answer is ``{"verdict": "pass" | "replace" | "answer" | "block", …}`` with the members of that verdict.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Raw, Struct

from gatekit.plugin import (
    HOOKS,
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
from gatekit.plugins.means import Means

VERSION = 1
"""Of the messages. A change that an old plugin could misread gets another number."""

HookName = Literal["request", "response", "list", "notification", "question", "answer", "record"]


class RemoteOptions(Options, frozen=True):
    """What all of them have."""

    hooks: tuple[HookName, ...] = ("request", "response")
    """What it is asked about."""
    max_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 30)] = 1_000_000
    """Longest message in either direction; more counts as a failure of the plugin."""


class Unusable(Exception):
    """What came back is no verdict, or what should go there is too large."""


class _Verdict(Struct, forbid_unknown_fields=True):
    verdict: Literal["pass", "replace", "answer", "block"]
    content: Any = None
    name: str = ""
    result: dict[str, Any] | None = None
    reason: str = ""
    public: str = ""
    note: str = ""
    missing: bool = False


_decode = msgspec.json.Decoder(_Verdict).decode


def verdict_of(answer: bytes) -> Verdict:
    """Raises Unusable."""
    try:
        said = _decode(answer)
    except (msgspec.DecodeError, ValueError) as error:
        raise Unusable("the plugin's answer is no verdict") from error
    if said.verdict == "replace":
        return Replace(said.content, said.name, said.note)
    if said.verdict == "answer":
        return Answer(said.result or {}, said.note)
    if said.verdict == "block":
        return Block(said.reason or "blocked", said.public, said.note, said.missing)
    return Pass(said.note)


class Remote(Plugin):
    """Sends each hook that was asked for, and takes the answer for the verdict."""

    Settings: Any = RemoteOptions

    def __init__(self, options: RemoteOptions, name: str = "") -> None:
        super().__init__(options, name)
        self.means: Means | None = None
        self._hooks = frozenset(f"on_{hook}" for hook in options.hooks)
        if not self._hooks <= frozenset(HOOKS):
            raise PluginError("hooks: unknown")

    def equip(self, means: Means) -> None:
        """What it may reach; given once, before the first call."""
        self.means = means

    @property
    def hooks(self) -> frozenset[str]:
        return self._hooks

    @abstractmethod
    async def ask(self, message: dict[str, Any]) -> bytes:
        """The plugin's answer. Raises whatever went wrong."""

    async def _judged(self, hook: HookName, subject: Subject, **given: Any) -> Verdict:
        return verdict_of(await self.ask(self._message(hook, subject, given)))

    def _message(self, hook: HookName, subject: Subject, given: dict[str, Any]) -> dict[str, Any]:
        who = msgspec.structs.asdict(subject)
        who["groups"] = sorted(subject.groups)
        return {"version": VERSION, "hook": hook, "subject": who, **given}

    async def on_request(self, subject: Subject, asked: Asked) -> Verdict:
        return await self._judged("request", subject, asked=_asked(asked))

    async def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdict:
        if answered.size > self.options.max_bytes:
            raise Unusable("the result is larger than max_bytes")
        return await self._judged("response", subject, asked=_asked(asked), answered=_answered(answered))

    async def on_list(self, subject: Subject, listed: Listed) -> Verdict:
        return await self._judged("list", subject, listed=msgspec.structs.asdict(listed))

    async def on_notification(self, subject: Subject, said: Said) -> Verdict:
        return await self._judged("notification", subject, said=msgspec.structs.asdict(said))

    async def on_question(self, subject: Subject, questioned: Questioned) -> Verdict:
        return await self._judged("question", subject, questioned=msgspec.structs.asdict(questioned))

    async def on_answer(self, subject: Subject, questioned: Questioned, answered: Answered) -> Verdict:
        asked = msgspec.structs.asdict(questioned)
        return await self._judged("answer", subject, questioned=asked, answered=_answered(answered))

    async def on_record(self, subject: Subject, record: Record) -> None:
        await self.ask(self._message("record", subject, {"event": record.event}))


def _asked(asked: Asked) -> dict[str, Any]:
    return {
        "method": asked.method,
        "name": asked.name,
        "arguments": asked.arguments,
        "meta": asked.meta,
        "extra": asked.extra,
    }


def _answered(answered: Answered) -> dict[str, Any]:
    body = answered.body if answered.decoded else Raw(bytes(answered.pieces))
    return {"method": answered.method, "name": answered.name, "kind": answered.kind, "body": body}
