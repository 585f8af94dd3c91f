"""The plugins of one server, asked in order: forwards on the way to it, backwards on the way back.

This is the boundary to code that we did not write: whatever a hook raises, returns or waits for ends here, as
the verdict that its entry's fail mode says. What a plugin said is kept as a short text for the audit
(``name:note``), never with content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct
from msgspec.structs import replace

from gatekit.plugin import (
    Answer,
    Answered,
    Asked,
    Block,
    Listed,
    Pass,
    Plugin,
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


Sift = Callable[..., Collection[Plugin]]
"""Takes what a hook takes, but for the subject. Those that it names would pass, and have no note to make."""


@runtime_checkable
class Alike(Protocol):
    """A plugin that looks for something where its neighbours look too: only those built in can. One look for
    all of them says which would pass; they need not be asked then."""

    def together(self, hook: str, plugins: Sequence[Plugin]) -> Sift | None:
        """For these plugins, of which it is the first; None: not for this hook."""


class Step:
    """One plugin's hook, found once."""

    __slots__ = ("call", "entry", "hook", "ours", "sift")

    def __init__(self, entry: Entry, hook: str) -> None:
        self.entry = entry
        self.hook = hook
        self.call: Callable[..., Any] = getattr(entry.plugin, hook)
        self.ours = entry.ours
        self.sift: Sift | None = None
        """What it has together with others."""


class _Looked:
    """What the last look for several plugins said, and about what."""

    __slots__ = ("_given", "_passing")

    def __init__(self) -> None:
        self._given: object = None
        self._passing: Collection[Plugin] = ()

    def passes(self, step: Step, sift: Sift, *given: Any) -> bool:
        """Whether a plugin needs not be asked. ``given``: the last of it is what may have become another."""
        if given[-1] is not self._given:
            self._given = given[-1]
            try:
                self._passing = sift(*given)
            except Exception:  # noqa: BLE001 - each is asked, and fails as its entry says
                self._passing = ()
        return step.entry.plugin in self._passing


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
        return tuple((step.entry.name, id(step.entry.plugin)) for step in self.lists)

    # -- a call -------------------------------------------------------------------------------------------

    async def request(self, subject: Subject, asked: Asked, seen: Seen) -> Onward | Done | Block:
        """On the way to the server."""
        changed = False
        looked = _Looked()
        for step in self.requests:
            if step.sift is not None and looked.passes(step, step.sift, asked):
                continue
            judged = self._begin(step, seen, subject, asked if step.ours else own_asked(asked))
            verdict = judged if isinstance(judged, VERDICTS) else await self._end(step, seen, judged)
            if type(verdict) is Replace:
                try:
                    asked = asked_anew(asked, verdict, step.ours)
                except Misuse as misuse:
                    blocked = failed(step.entry, "on_request", misuse, seen)
                    if type(blocked) is Block:
                        return blocked
                else:
                    changed = True
            elif type(verdict) is Answer:
                return Done(verdict.result, self.entries.index(step.entry))
            elif type(verdict) is Block:
                return verdict
        return Onward(asked, changed)

    async def response(
        self, subject: Subject, asked: Asked, answered: Answered, seen: Seen, past: int | None = None
    ) -> Answered | Block:
        """On the way back; ``past``: only the first so many plugins, if the server was never asked."""
        among = self.entries[:past] if past is not None else self.entries
        looked = _Looked()
        for step in self.responses:
            if past is not None and step.entry not in among:
                continue
            if step.sift is not None and looked.passes(step, step.sift, asked, answered):
                continue
            given = answered if step.ours else own_answered(answered)
            judged = self._begin(step, seen, subject, asked, given)
            verdict = judged if isinstance(judged, VERDICTS) else await self._end(step, seen, judged)
            if type(verdict) is Replace:
                verdict = replaced(step.entry, "on_response", verdict, seen)
            if type(verdict) is Block:
                return verdict
            if type(verdict) is Replace and verdict.content is not None:
                answered = answered_anew(answered, verdict.content)
        return answered

    async def listed(self, subject: Subject, listed: Listed, seen: Seen) -> Listed | Block:
        """A page of a list on the way back."""
        for step in self.lists:
            entry = step.entry
            given = listed if step.ours else replace(listed, items=tuple(own(listed.items)))
            verdict = await self._judge(step, seen, subject, given)
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
        for at, step in enumerate(way):
            judged = self._begin(step, seen, subject, given_to(step.entry, said))
            if not isinstance(judged, VERDICTS):
                return self._heard_later(subject, said, seen, way, at, judged)
            heard = said_anew(step.entry, said, judged, seen)
            if heard is None:
                return None
            said = heard
        return said

    async def _heard_later(
        self,
        subject: Subject,
        said: Said,
        seen: Seen,
        way: Sequence[Step],
        at: int,
        judged: Awaitable[Verdict],
    ) -> Said | None:
        verdict = await self._end(way[at], seen, judged)
        heard = said_anew(way[at].entry, said, verdict, seen)
        for step in way[at + 1 :]:
            if heard is None:
                return None
            verdict = await self._judge(step, seen, subject, given_to(step.entry, heard))
            heard = said_anew(step.entry, heard, verdict, seen)
        return heard

    async def question(
        self, subject: Subject, questioned: Questioned, seen: Seen
    ) -> Questioned | Answer | Block:
        """The server asks the client."""
        for step in self.questions:
            verdict = await self._judge(step, seen, subject, given_to(step.entry, questioned))
            verdict = replaced(step.entry, "on_question", verdict, seen)
            if type(verdict) is Answer or type(verdict) is Block:
                return verdict
            if type(verdict) is Replace and isinstance(verdict.content, Mapping):
                questioned = replace(questioned, params=dict(verdict.content))
        return questioned

    async def answer(
        self, subject: Subject, questioned: Questioned, answered: Answered, seen: Seen
    ) -> Answered | Block:
        """The client's answer."""
        for step in self.answers:
            given = answered if step.ours else own_answered(answered)
            verdict = await self._judge(step, seen, subject, questioned, given)
            verdict = replaced(step.entry, "on_answer", verdict, seen)
            if type(verdict) is Block:
                return verdict
            if type(verdict) is Replace and isinstance(verdict.content, Mapping):
                answered = answered_anew(answered, verdict.content)
        return answered

    async def recorded(self, subject: Subject, record: Record) -> bool:
        """Tell those who keep records of their own. False: one that must have it does not."""
        for step in self.records:
            try:
                waiting = step.call(subject, record)
                if waiting is not None:
                    async with asyncio.timeout(step.entry.deadline):
                        await waiting
            except Exception as error:  # noqa: BLE001 - the boundary, as below
                if type(failed(step.entry, "on_record", error, [])) is Block:
                    return False
        return True

    # -- the boundary -------------------------------------------------------------------------------------

    async def _judge(self, step: Step, seen: Seen, *given: Any) -> Verdict:
        judged = self._begin(step, seen, *given)
        return judged if isinstance(judged, VERDICTS) else await self._end(step, seen, judged)

    def _begin(self, step: Step, seen: Seen, *given: Any) -> Judgement:
        try:
            judged: Any = step.call(*given)
        except Exception as error:  # noqa: BLE001 - the boundary: a plugin's failure is a verdict
            return failed(step.entry, step.hook, error, seen)
        if type(judged) is Pass and not judged.note:
            return judged  # nearly always, so nothing else is looked at
        if not isinstance(judged, VERDICTS) and isinstance(judged, Awaitable):
            return judged
        return taken(step.entry, step.hook, judged, seen)

    async def _end(self, step: Step, seen: Seen, judged: Awaitable[Verdict]) -> Verdict:
        try:
            async with asyncio.timeout(step.entry.deadline):
                verdict = await judged
        except Exception as error:  # noqa: BLE001 - as above; a cancelled call is no failure of the plugin
            return failed(step.entry, step.hook, error, seen)
        return taken(step.entry, step.hook, verdict, seen)


def _with(hook: str, entries: Sequence[Entry]) -> tuple[Step, ...]:
    steps = tuple(Step(entry, hook) for entry in entries if hook in entry.plugin.hooks)
    alike = [step for step in steps if step.ours and isinstance(step.entry.plugin, Alike)]
    if len(alike) > 1 and isinstance(first := alike[0].entry.plugin, Alike):
        sift = first.together(hook, [step.entry.plugin for step in alike])
        for step in alike:
            step.sift = sift
    return steps
