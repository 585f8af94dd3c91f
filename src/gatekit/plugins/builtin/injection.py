"""``injection``: signals of text that tries to give orders to the model. Flags by default, for a pattern
cannot know what a text means: a page about the subject looks like an attack. Blocking on it is a choice,
not a default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from gatekit.plugin import (
    Answered,
    Asked,
    Block,
    Listed,
    Options,
    Pass,
    Plugin,
    PluginError,
    Questioned,
    Replace,
    Said,
    Subject,
    Verdict,
    Verdicts,
)
from gatekit.plugins.builtin.detect import readings, rules, values
from gatekit.plugins.builtin.detect.scanner import Scanner
from gatekit.plugins.builtin.guard import AT_ONCE, LARGE, Place, Together

_THRESHOLDS = {"relaxed": 3.0, "standard": 2.0, "strict": 1.0}
_HOOKS: dict[str, tuple[str, ...]] = {
    "arguments": ("on_request",),
    "results": ("on_response",),
    "lists": ("on_list",),
    "notifications": ("on_notification",),
    "questions": ("on_question",),
}
_HIDDEN_WEIGHT = 2.0
_PUBLIC = "Blocked by the injection guard."


class Injection(Plugin):
    """Scores what comes from servers: results, descriptions, messages."""

    name_of_pack: ClassVar[str] = "injection"

    class Settings(Options, frozen=True):
        """What it can be told."""

        action: Literal["block", "flag"] = "flag"
        sensitivity: Literal["relaxed", "standard", "strict"] = "standard"
        """Sum of weights from which a text counts: 3, 2 or 1."""
        look_at: tuple[Place, ...] = ("results", "lists", "notifications", "questions")
        packs: tuple[str, ...] = ()
        """Files with signals of one's own."""
        hide: bool = False
        """``lists`` and ``action: block``: leave the tool out and show the rest, instead of refusing the
        list."""

    def __init__(self, options: Any, name: str = "") -> None:
        super().__init__(options, name)
        try:
            packs = [rules.built_in("injection"), *(rules.load(Path(path)) for path in options.packs)]
            self._scanner = Scanner(packs)
        except ValueError as error:
            raise PluginError(str(error)) from error
        self._threshold = _THRESHOLDS[options.sensitivity]

    @property
    def hooks(self) -> frozenset[str]:
        """Only where it looks."""
        return frozenset(hook for place in self.options.look_at for hook in _HOOKS[place])

    def together(self, hook: str, plugins: Sequence[Plugin]) -> Any:
        """One look for several guards."""
        return Together(plugins).of(hook)

    def passes(self, text: str) -> bool:
        """Whether a text says nothing."""
        return not self._signals(text)

    def on_request(self, subject: Subject, asked: Asked) -> Verdicts:  # noqa: ARG002
        """Arguments, if it was told to."""
        return self._looked_at(asked.arguments)

    def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdicts:  # noqa: ARG002
        """Results and errors."""
        if not answered.decoded and answered.size > LARGE:
            return self._large(answered)
        return self._looked_at(answered.body)

    def on_list(self, subject: Subject, listed: Listed) -> Verdicts:  # noqa: ARG002
        """Each tool, prompt or resource by itself: one that is poisoned says nothing about the others."""
        if values.heavy(listed.items, AT_ONCE):
            return asyncio.to_thread(self._list, listed)
        return self._list(listed)

    def _list(self, listed: Listed) -> Verdict:
        judged = [(item, self._signals(values.joined(item))) for item in listed.items]
        poisoned = [(item, signals) for item, signals in judged if signals]
        if not poisoned:
            return Pass()
        note = "; ".join(
            f"{item.get('name', '?')!s:.60}:{'+'.join(signals)}" for item, signals in poisoned[:5]
        )
        if self.options.action == "flag":
            return Pass(f"flag:{note}")
        if self.options.hide:
            return Replace(tuple(item for item, signals in judged if not signals), note=f"hidden:{note}")
        return Block(f"signals of injection: {note}", _PUBLIC)

    def on_notification(self, subject: Subject, said: Said) -> Verdicts:  # noqa: ARG002
        """Progress and log messages."""
        return self._looked_at(said.params)

    def on_question(self, subject: Subject, questioned: Questioned) -> Verdicts:  # noqa: ARG002
        """What a server asks the client's model or person."""
        return self._looked_at(questioned.params)

    async def _large(self, answered: Answered) -> Verdict:
        def look() -> tuple[str, ...]:
            signals: set[str] = set()
            data = bytes(answered.pieces)
            for at in range(0, len(data), LARGE):
                # Escapes in JSON text are read as what they stand for: signals are made of words and lines.
                window = data[max(0, at - 4096) : at + LARGE].decode("utf-8", "replace")
                signals.update(self._found(window.replace("\\n", " \n").replace('\\"', ' "')))
            return tuple(sorted(signals))

        signals = await asyncio.to_thread(look)
        return self._verdict(signals if self._score(signals) >= self._threshold else ())

    def _looked_at(self, value: Any) -> Verdicts:
        """In a thread if it is much: nobody else's call waits for one person's megabytes."""
        return asyncio.to_thread(self._judged, value) if values.heavy(value, AT_ONCE) else self._judged(value)

    def _judged(self, value: Any) -> Verdict:
        return self._verdict(self._signals(values.joined(value)))

    def _verdict(self, signals: tuple[str, ...]) -> Verdict:
        if not signals:
            return Pass()
        said = "+".join(signals)
        if self.options.action == "flag":
            return Pass(f"flag:{said}")
        return Block(f"signals of injection: {said}", _PUBLIC)

    def _signals(self, text: str) -> tuple[str, ...]:
        """What was seen, if it weighs enough."""
        signals = self._found(text)
        return tuple(sorted(signals)) if self._score(signals) >= self._threshold else ()

    def _found(self, text: str) -> set[str]:
        return readings.signals(self._scanner, text)

    def _score(self, signals: Any) -> float:
        return sum(
            _HIDDEN_WEIGHT if each == readings.HIDDEN else self._scanner.weights[each] for each in signals
        )
