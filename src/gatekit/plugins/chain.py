"""The plugins of one server, asked in order: forwards on the way to it, backwards on the way back.

This is the boundary to code that we did not write: whatever a hook raises, returns or waits for ends here, as
the verdict that its entry's fail mode says. What a plugin said is kept as a short text for the audit
(``name:note``), never with content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatekit.plugin import (
    Answer,
    Answered,
    Asked,
    Block,
    Listed,
    Questioned,
    Record,
    Replace,
    Said,
    Subject,
    Verdict,
)
from gatekit.plugins.verdicts import (
    VERDICTS,
    Entry,
    Misuse,
    Seen,
    answered_anew,
    asked_anew,
    failed,
    given_to,
    is_items,
    own,
    own_answered,
    own_asked,
    replaced,
    said_anew,
    taken,
)

Judgement = Verdict | Awaitable[Verdict]


class Onward(Struct, frozen=True):
    """The server shall be asked this."""

    asked: Asked
    changed: bool


class Done(Struct, frozen=True):
    """A plugin has answered; the server is not asked. ``past``: how many plugins were passed before."""

    result: Mapping[str, Any]
    past: int


class Chain:
    """The plugins of one server. Immutable but for ``using``."""

    def __init__(self, server: str, entries: Iterable[Entry]) -> None:
        self.server = server
        self.entries = tuple(sorted(entries, key=lambda entry: entry.priority))  # stable: then as written
        back = self.entries[::-1]
        self.requests = _with("on_request", self.entries)
        self.responses = _with("on_response", back)
        self.lists = _with("on_list", back)
        self.outward = _with("on_notification", self.entries)
        self.inward = _with("on_notification", back)
        self.questions = _with("on_question", back)
        self.answers = _with("on_answer", self.entries)
        self.records = _with("on_record", self.entries)
        self.using = 0
        """Calls in flight that began with this chain."""

    @property
    def shape(self) -> tuple[object, ...]:
        """Equal for chains that show the same lists."""
        return tuple((entry.name, id(entry.plugin)) for entry in self.lists)

    # -- a call -------------------------------------------------------------------------------------------

    async def request(self, subject: Subject, asked: Asked, seen: Seen) -> Onward | Done | Block:
        """On the way to the server."""
        changed = False
        for entry in self.requests:
            given = asked if entry.ours else own_asked(asked)
            verdict = await self._judge(entry, "on_request", seen, subject, given)
            if type(verdict) is Replace:
                try:
                    asked = asked_anew(asked, verdict, entry.ours)
                except Misuse as misuse:
                    blocked = failed(entry, "on_request", misuse, seen)
                    if type(blocked) is Block:
                        return blocked
                else:
                    changed = True
            elif type(verdict) is Answer:
                return Done(verdict.result, self.entries.index(entry))
            elif type(verdict) is Block:
                return verdict
        return Onward(asked, changed)

    async def response(
        self, subject: Subject, asked: Asked, answered: Answered, seen: Seen, past: int | None = None
    ) -> Answered | Block:
        """On the way back; ``past``: only the first so many plugins, if the server was never asked."""
        among = self.entries[:past] if past is not None else self.entries
        for entry in self.responses:
            if past is not None and entry not in among:
                continue
            given = answered if entry.ours else own_answered(answered)
            verdict = await self._judge(entry, "on_response", seen, subject, asked, given)
            if type(verdict) is Block:
                return verdict
            verdict = replaced(entry, "on_response", verdict, seen)
            if type(verdict) is Block:
                return verdict
            if type(verdict) is Replace and verdict.content is not None:
                answered = answered_anew(answered, verdict.content)
        return answered

    async def listed(self, subject: Subject, listed: Listed, seen: Seen) -> Listed | Block:
        """A page of a list on the way back."""
        for entry in self.lists:
            given = listed if entry.ours else replace(listed, items=tuple(own(listed.items)))
            verdict = await self._judge(entry, "on_list", seen, subject, given)
            if type(verdict) is Replace and not is_items(verdict.content):
                verdict = failed(entry, "on_list", Misuse("on_list: content must be a list of items"), seen)
            if type(verdict) is Block:
                return verdict
            if type(verdict) is Replace and isinstance(verdict.content, list | tuple):
                listed = replace(listed, items=tuple(verdict.content))
        return listed

    # -- what comes in between ----------------------------------------------------------------------------

    def heard(self, subject: Subject, said: Said, seen: Seen) -> Said | Awaitable[Said | None] | None:
        """A notification. None: nobody hears it. Awaitable only if a hook is."""
        way = self.inward if said.to == "client" else self.outward
        for at, entry in enumerate(way):
            judged = self._begin(entry, "on_notification", seen, subject, given_to(entry, said))
            if not isinstance(judged, VERDICTS):
                return self._heard_later(subject, said, seen, way, at, judged)
            heard = said_anew(entry, said, judged, seen)
            if heard is None:
                return None
            said = heard
        return said

    async def _heard_later(
        self,
        subject: Subject,
        said: Said,
        seen: Seen,
        way: Sequence[Entry],
        at: int,
        judged: Awaitable[Verdict],
    ) -> Said | None:
        verdict = await self._end(way[at], "on_notification", seen, judged)
        heard = said_anew(way[at], said, verdict, seen)
        for entry in way[at + 1 :]:
            if heard is None:
                return None
            verdict = await self._judge(entry, "on_notification", seen, subject, given_to(entry, heard))
            heard = said_anew(entry, heard, verdict, seen)
        return heard

    async def question(
        self, subject: Subject, questioned: Questioned, seen: Seen
    ) -> Questioned | Answer | Block:
        """The server asks the client."""
        for entry in self.questions:
            verdict = await self._judge(entry, "on_question", seen, subject, given_to(entry, questioned))
            verdict = replaced(entry, "on_question", verdict, seen)
            if type(verdict) is Answer or type(verdict) is Block:
                return verdict
            if type(verdict) is Replace and isinstance(verdict.content, Mapping):
                questioned = replace(questioned, params=dict(verdict.content))
        return questioned

    async def answer(
        self, subject: Subject, questioned: Questioned, answered: Answered, seen: Seen
    ) -> Answered | Block:
        """The client's answer."""
        for entry in self.answers:
            given = answered if entry.ours else own_answered(answered)
            verdict = await self._judge(entry, "on_answer", seen, subject, questioned, given)
            verdict = replaced(entry, "on_answer", verdict, seen)
            if type(verdict) is Block:
                return verdict
            if type(verdict) is Replace and isinstance(verdict.content, Mapping):
                answered = answered_anew(answered, verdict.content)
        return answered

    async def recorded(self, subject: Subject, record: Record) -> bool:
        """Tell those who keep records of their own. False: one that must have it does not."""
        for entry in self.records:
            try:
                waiting = entry.plugin.on_record(subject, record)
                if waiting is not None:
                    async with asyncio.timeout(entry.deadline):
                        await waiting
            except Exception as error:  # noqa: BLE001 - the boundary, as below
                if type(failed(entry, "on_record", error, [])) is Block:
                    return False
        return True

    # -- the boundary -------------------------------------------------------------------------------------

    async def _judge(self, entry: Entry, hook: str, seen: Seen, *given: Any) -> Verdict:
        judged = self._begin(entry, hook, seen, *given)
        return judged if isinstance(judged, VERDICTS) else await self._end(entry, hook, seen, judged)

    def _begin(self, entry: Entry, hook: str, seen: Seen, *given: Any) -> Judgement:
        try:
            judged: Any = getattr(entry.plugin, hook)(*given)
        except Exception as error:  # noqa: BLE001 - the boundary: a plugin's failure is a verdict
            return failed(entry, hook, error, seen)
        if isinstance(judged, Awaitable):
            return judged
        return taken(entry, hook, judged, seen)

    async def _end(self, entry: Entry, hook: str, seen: Seen, judged: Awaitable[Verdict]) -> Verdict:
        try:
            async with asyncio.timeout(entry.deadline):
                verdict = await judged
        except Exception as error:  # noqa: BLE001 - as above; a cancelled call is no failure of the plugin
            return failed(entry, hook, error, seen)
        return taken(entry, hook, verdict, seen)


def _with(hook: str, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if hook in entry.plugin.hooks)
