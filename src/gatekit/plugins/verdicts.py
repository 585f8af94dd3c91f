"""What a plugin's verdict means: checked, noted for the audit, and carried out on what it is about.

A failing plugin's own words may hold content, so they are neither recorded nor logged; where it failed is.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gatekit.model.call import Pieces
from gatekit.plugin import Answer, Answered, Asked, Block, OnError, Pass, Plugin, Replace, Said, Verdict

_log = logging.getLogger("gatekit.plugins")

NOT_INSPECTED = "the call could not be inspected"
"""What a caller hears of a plugin that failed and is fail-closed."""
REFUSED = "refused by a rule of this gateway"
"""What a caller hears of a Block that says nothing in public."""
MAX_NOTE = 100
MAX_REASON = 500
MAX_PUBLIC = 2000
MAX_SEEN = 40
"""Verdicts of one call that are kept for its record."""

VERDICTS = (Pass, Replace, Answer, Block)
_WORDS = {Pass: "pass", Replace: "replace", Answer: "answer", Block: "block"}
_PASS = Pass()

Seen = list[str]


class Entry(Struct, frozen=True, kw_only=True):
    """One plugin as an operator has placed it."""

    name: str
    plugin: Plugin
    priority: int = 50
    on_error: OnError = "closed"
    deadline: float = 5.0
    """Seconds that an asynchronous hook has."""
    ours: bool = False
    """Built in: gets what passes itself, and not a copy of its own."""


class Misuse(Exception):
    """A verdict that cannot be carried out."""


def taken(entry: Entry, hook: str, verdict: object, seen: Seen) -> Verdict:
    """What a hook returned, once it is known to be a verdict."""
    if not isinstance(verdict, VERDICTS):
        return failed(entry, hook, Misuse(f"{hook} returned no verdict"), seen)
    if isinstance(verdict, Answer):
        if hook not in ("on_request", "on_question"):
            return failed(entry, hook, Misuse(f"{hook}: there is nothing to answer"), seen)
        if not isinstance(verdict.result, Mapping) or not (entry.ours or _is_json(verdict.result)):
            return failed(entry, hook, Misuse(f"{hook}: the answer must be a JSON object"), seen)
    if not _has_texts(verdict):
        return failed(entry, hook, Misuse(f"{hook}: reason, public, note and name are texts"), seen)
    if entry.plugin.kind == "audit":
        verdict = Pass(verdict.note)  # it only looks
    if verdict.note or type(verdict) is not Pass:
        _note(entry, verdict.note or _WORDS[type(verdict)], seen)
    if type(verdict) is Block:
        public = verdict.public[:MAX_PUBLIC] or REFUSED
        return replace(verdict, reason=f"{entry.name}: {clean(verdict.reason, MAX_REASON)}", public=public)
    return verdict


def _has_texts(verdict: Verdict) -> bool:
    texts = [verdict.note]
    if isinstance(verdict, Block):
        texts += [verdict.reason, verdict.public]
    elif isinstance(verdict, Replace):
        texts.append(verdict.name)
    return all(isinstance(text, str) for text in texts)


def clean(text: str, most: int) -> str:
    """Fit for one line of the record."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])


def _note(entry: Entry, text: str, seen: Seen) -> None:
    if len(seen) < MAX_SEEN:
        seen.append(f"{entry.name}:{clean(text, MAX_NOTE)}")


def failed(entry: Entry, hook: str, error: Exception, seen: Seen) -> Pass | Block:
    """What a plugin that failed is taken to have said. Its own words may hold content: they are not kept."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "-"
    words = str(error) if isinstance(error, Misuse) else kind
    _log.error(
        "plugin failed name=%s hook=%s error=%s at=%s mode=%s", entry.name, hook, words, where, entry.on_error
    )
    _note(entry, f"error:{kind}", seen)
    if entry.on_error == "open":
        return _PASS
    return Block(f"plugin {entry.name} failed: {kind}", NOT_INSPECTED)


# -- carrying out ----------------------------------------------------------------------------------------


def own(value: Any) -> Any:
    """A copy that may be changed without anybody noticing."""
    if isinstance(value, Mapping):
        return {key: own(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [own(item) for item in value]
    return value


def own_asked(asked: Asked) -> Asked:
    return replace(asked, arguments=own(asked.arguments), meta=own(asked.meta), extra=own(asked.extra))


def own_answered(answered: Answered) -> Answered:
    if answered.decoded:
        return Answered(answered.method, answered.name, own(answered.body), kind=answered.kind)
    return Answered(answered.method, answered.name, kind=answered.kind, raw=answered.pieces)


def given_to(entry: Entry, event: Any) -> Any:
    return event if entry.ours else replace(event, params=own(event.params))


def asked_anew(asked: Asked, verdict: Replace, ours: bool) -> Asked:
    content, name = verdict.content, verdict.name
    if content is not None and not isinstance(content, Mapping):
        raise Misuse("on_request: content must be the arguments")
    if name and (not asked.name or not isinstance(name, str)):
        raise Misuse(f"on_request: {asked.method} has no name to replace")
    if content is not None and not ours:
        content = _checked("on_request", own(content))
    arguments = asked.arguments if content is None else dict(content)
    return replace(asked, arguments=arguments, name=name or asked.name)


def answered_anew(answered: Answered, content: Any) -> Answered:
    if isinstance(content, Pieces):
        return Answered(answered.method, answered.name, kind=answered.kind, raw=content)
    return Answered(answered.method, answered.name, dict(content), kind=answered.kind)


def replaced(entry: Entry, hook: str, verdict: Verdict, seen: Seen) -> Verdict:
    """A Replace whose content can be used, or what its failing means."""
    if type(verdict) is not Replace or verdict.content is None:
        return verdict
    try:
        content = verdict.content
        if isinstance(content, Pieces):
            if hook != "on_response":
                raise Misuse(f"{hook}: only results may be given as Pieces")
            if not entry.ours:
                _checked(hook, _decoded(content))
        elif not isinstance(content, Mapping):
            raise Misuse(f"{hook}: content must be an object")
        elif not entry.ours:
            _checked(hook, content)
    except Misuse as misuse:
        return failed(entry, hook, misuse, seen)
    return verdict


def _is_json(content: Any) -> bool:
    try:
        msgspec.json.encode(content)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return False
    return True


def _checked(hook: str, content: Any) -> Any:
    if not _is_json(content):
        raise Misuse(f"{hook}: content is not JSON")
    return content


def _decoded(pieces: Pieces) -> Any:
    try:
        found = msgspec.json.decode(bytes(pieces))
    except (msgspec.DecodeError, ValueError):
        raise Misuse("on_response: content is not JSON") from None
    if not isinstance(found, dict):
        raise Misuse("on_response: content must be an object")
    return found


def is_items(content: Any) -> bool:
    if content is None:
        return True
    if not isinstance(content, list | tuple) or not all(isinstance(item, Mapping) for item in content):
        return False
    return _is_json(content)


def said_anew(entry: Entry, said: Said, verdict: Verdict, seen: Seen) -> Said | None:
    verdict = replaced(entry, "on_notification", verdict, seen)
    if type(verdict) is Block:
        return None
    if type(verdict) is Replace and isinstance(verdict.content, Mapping):
        return replace(said, params=dict(verdict.content))
    return said
