"""What the guards have in common: where they look, and what they do about what they find.

Texts up to ``AT_ONCE`` are looked at at once, longer ones in a thread. Results from ``LARGE`` on are walked
as JSON text in a thread, in small steps, without being decoded as a whole.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

from gatekit.plugin import (
    Answered,
    Asked,
    Block,
    Listed,
    Options,
    Pass,
    Pieces,
    Plugin,
    PluginError,
    Questioned,
    Replace,
    Said,
    Subject,
    Verdict,
    Verdicts,
)
from gatekit.plugins.builtin.detect import large, packed, rules, values
from gatekit.plugins.builtin.detect.scanner import Finding, Scanner

AT_ONCE = 32 * 1024
"""Characters up to which a look takes less than everybody else's calls may be kept waiting."""
LARGE = 256 * 1024
"""Bytes from which a result is not decoded to be looked at."""

Place = Literal["arguments", "results", "lists", "notifications", "questions"]
PLACES: tuple[Place, ...] = ("arguments", "results", "lists", "notifications", "questions")
Action = Literal["block", "redact", "flag"]

_HOOKS: dict[Place, tuple[str, ...]] = {
    "arguments": ("on_request",),
    "results": ("on_response",),
    "lists": ("on_list",),
    "notifications": ("on_notification",),
    "questions": ("on_question", "on_answer"),
}


class GuardSettings(Options, frozen=True):
    """What every guard can be told."""

    action: Action = "redact"
    """``block``: the call or its result does not pass. ``redact``: what was found is replaced by what it was.
    ``flag``: it passes, and the trail says what was found."""
    look_at: tuple[Place, ...] = PLACES
    only: tuple[str, ...] = ()
    """Rules to use; empty: all."""
    skip: tuple[str, ...] = ()
    """Rules not to use."""
    packs: tuple[str, ...] = ()
    """Files with rules of one's own, besides the built-in ones."""
    allow: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=500)], ...] = ()
    """Patterns (RE2) of values that are no findings."""


class Guard(Plugin):
    """Base of the guards that look for values."""

    PACK: ClassVar[str]

    class Settings(GuardSettings, frozen=True):
        """Those of every guard."""

    def __init__(self, options: Any, name: str = "") -> None:
        super().__init__(options, name)
        self.scanner = Scanner(self._packs())

    @property
    def hooks(self) -> frozenset[str]:
        """Only where it looks."""
        return frozenset(hook for place in self.options.look_at for hook in _HOOKS[place])

    def together(self, hook: str, plugins: Sequence[Plugin]) -> Any:
        """One look for several guards."""
        return Together(plugins).of(hook)

    # -- the hooks ---------------------------------------------------------------------------------------

    def on_request(self, subject: Subject, asked: Asked) -> Verdicts:  # noqa: ARG002
        """Arguments; what stands beside them is not ours to change, so a finding there blocks."""
        return self._weighed((asked.arguments, asked.meta, asked.extra), lambda: self._request(asked))

    def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdicts:  # noqa: ARG002
        """Results and errors."""
        if not answered.decoded and answered.size > LARGE:
            return self._large(answered.pieces)
        return self._looked_at(answered.body)

    def on_list(self, subject: Subject, listed: Listed) -> Verdicts:  # noqa: ARG002
        """Names, descriptions and schemas of what servers offer."""
        return self._looked_at(listed.items)

    def on_notification(self, subject: Subject, said: Said) -> Verdicts:  # noqa: ARG002
        """Progress and log messages."""
        return self._looked_at(said.params)

    def on_question(self, subject: Subject, questioned: Questioned) -> Verdicts:  # noqa: ARG002
        """What a server asks the client or its person."""
        return self._looked_at(questioned.params)

    def on_answer(self, subject: Subject, questioned: Questioned, answered: Answered) -> Verdicts:  # noqa: ARG002
        """What they say to it."""
        return self._looked_at(answered.body)

    # -- the judgement -----------------------------------------------------------------------------------

    def _looked_at(self, value: Any) -> Verdicts:
        return self._weighed(value, lambda: self._judged(value))

    def _weighed(self, value: Any, judge: Callable[[], Verdict]) -> Verdicts:
        """In a thread if it is much: nobody else's call waits for one person's megabytes."""
        return asyncio.to_thread(judge) if values.heavy(value, AT_ONCE) else judge()

    def _request(self, asked: Asked) -> Verdict:
        verdict = self._judged(asked.arguments)
        if type(verdict) is Block or not (asked.meta or asked.extra):
            return verdict
        beside = self._judged((asked.meta, asked.extra))
        if type(beside) is Replace:
            return Block(f"{self._what()} beside the arguments", self._public(), beside.note)
        return beside if type(verdict) is Pass and not verdict.note else verdict

    def _judged(self, value: Any) -> Verdict:
        if not self._suspicious(values.joined(value)):
            return Pass()
        counts: Counter[str] = Counter()

        def change(name: str, text: str) -> str:
            spans = self._look(values.beside(name, text), counts)
            lead = len(values.beside(name, "")) - 1 if name else 0
            return _cut(text, [(start - lead, end - lead, new) for start, end, new in spans])

        new = values.changed(value, change)
        if not counts:
            return Pass()  # it was made of two texts that stand apart
        return self._verdict(new, sum(counts.values()), counts)

    async def _large(self, pieces: Pieces) -> Verdict:
        counts: Counter[str] = Counter()
        try:
            found = await asyncio.to_thread(
                lambda: large.without(bytes(pieces), lambda text: self._look(text, counts), self._suspicious)
            )
        except ValueError:
            return Block("the result is not JSON", self._public())
        if found is None:
            return Pass()
        parts, count = found
        return self._verdict(Pieces(parts), count, counts)

    def _verdict(self, new: Any, count: int, counts: Mapping[str, int]) -> Verdict:
        action = self.options.action
        kinds = ",".join(sorted(counts))
        note = f"{action}:{count}:{kinds}"
        if action == "flag":
            return Pass(note)
        if action == "block":
            return Block(f"{self._what()}: {kinds}", self._public(), note)
        return Replace(new, note=note)

    def _look(self, text: str, counts: Counter[str]) -> tuple[tuple[int, int, str], ...]:
        found = packed.scan(self.scanner, text)
        counts.update(each.rule for each in found)
        return tuple((each.start, each.end, _mark(each)) for each in found)

    def _suspicious(self, text: str) -> bool:
        return bool(packed.suspicious((self.scanner,), text))

    def _what(self) -> str:
        return f"found by {self.name or self.PACK}"

    def _public(self) -> str:
        return f"Blocked by the {self.PACK} guard."

    # -- its rules ---------------------------------------------------------------------------------------

    def _packs(self) -> list[rules.Pack]:
        options = self.options
        try:
            packs = [rules.built_in(self.PACK), *(rules.load(Path(path)) for path in options.packs)]
            known = rules.ids(packs)
            for wrong in sorted({*options.only, *options.skip} - known.keys()):
                raise PluginError(
                    f"{self.PACK}: there is no rule {wrong!r}; there are {', '.join(sorted(known))}"
                )
            return [_chosen(pack, options) for pack in packs]
        except ValueError as error:
            raise PluginError(str(error)) from error


class Together:
    """Several guards that look at the same: it is made ready once, and its packages are opened once. Nearly
    always nothing is in it for any of them; the others are asked one by one."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._guards = [plugin for plugin in plugins if isinstance(plugin, Guard)]
        self._scanners = [guard.scanner for guard in self._guards]
        self._judges = [plugin for plugin in plugins if isinstance(plugin, Judge)]

    def of(self, hook: str) -> Any:
        """For the hooks that every call meets."""
        return {"on_request": self._request, "on_response": self._response}.get(hook)

    def _request(self, asked: Asked) -> list[Plugin]:
        text = values.gathered(asked.arguments, AT_ONCE)
        beside = values.gathered((asked.meta, asked.extra), AT_ONCE) if asked.meta or asked.extra else ""
        if text is None or beside is None:
            return []
        return self._passing(text, f"{text}\n{beside}" if beside else text)

    def _response(self, asked: Asked, answered: Answered) -> list[Plugin]:  # noqa: ARG002
        if not answered.decoded and answered.size > LARGE:
            return []
        text = values.gathered(answered.body, AT_ONCE)
        return [] if text is None else self._passing(text, text)

    def _passing(self, text: str, more: str) -> list[Plugin]:
        """``more``: what is looked at for values only, besides ``text``."""
        suspicious = packed.suspicious(self._scanners, more)
        passing: list[Plugin] = [guard for guard in self._guards if guard.scanner not in suspicious]
        return [*passing, *(judge for judge in self._judges if judge.passes(text))]


@runtime_checkable
class Judge(Protocol):
    """A guard that judges a text as a whole."""

    def passes(self, text: str) -> bool:
        """Whether it has nothing to say about it."""


def _chosen(pack: rules.Pack, options: GuardSettings) -> rules.Pack:
    chosen = rules.only(
        pack, lambda name: (not options.only or name in options.only) and name not in options.skip
    )
    if not options.allow:
        return chosen
    return msgspec.structs.replace(
        chosen,
        rules=tuple(
            msgspec.structs.replace(rule, allow=(*rule.allow, *options.allow)) for rule in chosen.rules
        ),
    )


def _mark(finding: Finding) -> str:
    return f"[redacted: {finding.rule}]"


def _cut(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, new in _inside(spans, len(text)):
        parts += (text[at:start], new)
        at = end
    parts.append(text[at:])
    return "".join(parts)


def _inside(spans: Iterable[tuple[int, int, str]], size: int) -> list[tuple[int, int, str]]:
    clipped = [(max(0, start), min(end, size), new) for start, end, new in spans]
    return [span for span in clipped if span[0] < span[1]]
