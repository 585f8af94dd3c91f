"""Definitions that changed since somebody agreed to them: noticed in every list, withheld from lists and
calls.

What is known lives in memory; the store has it as well (``unsent`` is on its way there). A definition is
known by its digest, per server and name, whoever it was listed for: a server that defines things differently
for each person needs each of its definitions approved.

A call names a tool and not what its caller has read of it. So where changes are withheld, the list of the
very instance that a call goes to is compared first: once, and again when the instance says that its tools
changed or after some minutes. What one instance defines anew is refused there and not at other people's.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from weakref import WeakKeyDictionary

from msgspec import Raw, Struct

from gatekit.errors import LinkError, LinkTimeout, MethodNotFound, Withheld
from gatekit.gateway.faces import as_object
from gatekit.gateway.outcomes import Answered
from gatekit.gateway.ports import Trail
from gatekit.gateway.router import Target
from gatekit.model.audit import PinEvent
from gatekit.model.call import Call, Fault, Result
from gatekit.model.decision import Decision, Deny
from gatekit.model.pins import (
    GOOD,
    KINDS,
    MAX_DEFINITION,
    Brief,
    Item,
    Pin,
    PinKind,
    PinState,
    canonical,
    digest_of,
    ident,
)
from gatekit.model.ports import Clock
from gatekit.model.server import Server
from gatekit.platform import strict_json
from gatekit.policy import suspicion
from gatekit.upstream.link import Link

_log = logging.getLogger("gatekit.gateway")

RULE = "pins"
"""What the audit names as the rule of a refusal."""
KEPT = 300.0
"""Seconds after which the list of an instance is compared again."""
AGAIN = 1.0
"""Seconds before it is compared again because of a refusal."""
PATIENCE = 10.0
"""Seconds that a call waits for that list; then it is refused."""
MAX_NAMES = 5000
"""Names of one server that are kept; what comes after them counts as changed."""
MAX_EACH = 16
"""Definitions of one name."""
MAX_CHARACTERS = 16 * 1024 * 1024
"""Of all definitions of one server: whoever writes them must not fill the disk."""
_MAX_PAGES = 100
_MAX_FINE = 2000

_HOLDING = frozenset(("quarantine", "approve"))
_READ: dict[str, tuple[PinKind, str]] = {"tool": ("tool", "tools"), "prompt": ("prompt", "prompts")}
"""What a call can name: kind for the rules → ours, and the key of its list. A read names a URI and no
template, so a template is withheld from lists only."""

Names = dict[str, set[str]]
"""Name → digests of what an instance lists under it."""


class _Book(Struct, frozen=True):
    names: Names
    at: float
    changes: int


class _Known(Struct):
    """Of one server."""

    names: dict[tuple[PinKind, str], dict[str, PinState]]
    size: int = 0
    rejected: int = 0
    full: bool = False

    def has_room(self, named: Mapping[str, PinState], size: int) -> bool:
        """For another definition of ``size`` characters, beside those of its name."""
        return (
            len(self.names) + (not named) <= MAX_NAMES
            and len(named) < MAX_EACH
            and self.size + size <= MAX_CHARACTERS
        )


class Pins:
    """One for the process."""

    def __init__(self, clock: Clock, trail: Trail) -> None:
        self._clock = clock
        self._trail = trail
        self._known: dict[str, _Known] = {}
        self._fine: set[tuple[str, str, str, bytes]] = set()
        """Pages of lists that held nothing new or withheld, by their bytes."""
        self._books: WeakKeyDictionary[Link, dict[PinKind, _Book]] = WeakKeyDictionary()
        self._reading: dict[tuple[Link, PinKind], asyncio.Task[_Book]] = {}
        self.unsent: dict[str, Pin] = {}
        """What was seen and is not in the store yet, by id."""
        self.news = asyncio.Event()
        """Set when something was put into ``unsent``."""

    def load(self, briefs: Iterable[Brief]) -> None:
        """Everything that the store has."""
        self._known = {}
        self._fine.clear()
        for brief in briefs:
            self._put(brief)
        for pin in self.unsent.values():
            if pin.digest not in self._known.get(pin.server, _Known({})).names.get((pin.kind, pin.name), {}):
                self._put(_brief(pin))

    def settle(self, pin: Pin, state: PinState) -> None:
        """The store has it, in this state."""
        self.unsent.pop(pin.id, None)
        known = self._known.get(pin.server)
        named = known.names.get((pin.kind, pin.name), {}) if known is not None else {}
        if named.get(pin.digest) == pin.state != state:  # otherwise somebody has decided meanwhile
            self._fine.clear()
            named[pin.digest] = state

    def _put(self, brief: Brief) -> None:
        known = self._known.setdefault(brief.server, _Known({}))
        known.size += brief.size
        known.rejected += brief.state == "rejected"
        known.names.setdefault((brief.kind, brief.name), {})[brief.digest] = brief.state

    # -- lists --------------------------------------------------------------------------------------------

    def sifted(self, call: Call, server: Server, list_key: str, result: Result, link: Link | None) -> Result:
        """A page of a server's list, under the server's own names, without what is withheld."""
        if server.pins == "off" or list_key not in KINDS:
            return result
        body = result.body
        mark = None
        if isinstance(body, Raw):
            page = hashlib.blake2b(memoryview(body), digest_size=16).digest()
            mark = server.name, list_key, server.pins, page
            if mark in self._fine:
                return result
        found = as_object(body)
        items = found.get(list_key)
        if not isinstance(items, list):
            return result
        kept = [item for item in items if self._shows(call, server, list_key, item)]
        if len(kept) == len(items):
            if mark is None or not isinstance(body, Raw) or not _reads_one_way(bytes(memoryview(body))):
                return Result(found)  # what was compared is what goes on
            if len(self._fine) >= _MAX_FINE:
                self._fine.clear()
            self._fine.add(mark)
            return result
        if link is not None:
            self._books.pop(link, None)  # the instance may have changed since it was compared
        return Result({**found, list_key: kept})

    def _shows(self, call: Call, server: Server, list_key: str, item: Any) -> bool:
        if not isinstance(item, dict):
            return server.pins not in _HOLDING  # what cannot be compared cannot be approved
        kind, key = KINDS[list_key]
        return self._passes(server, self._state(call, server, kind, str(item.get(key, "")), item)[1])

    @staticmethod
    def _passes(server: Server, state: PinState) -> bool:
        return state in GOOD or (state == "waiting" and server.pins not in _HOLDING)

    def _state(
        self, call: Call, server: Server, kind: PinKind, name: str, item: Item
    ) -> tuple[str, PinState]:
        """Digest and state of a definition; one that is seen for the first time is kept."""
        definition = canonical(item)
        digest = digest_of(definition)
        known = self._known.setdefault(server.name, _Known({}))
        named = known.names.get((kind, name), {})
        state = named.get(digest)
        if state is not None:
            return digest, state
        if not known.has_room(named, min(len(definition), MAX_DEFINITION)):
            if not known.full:
                known.full = True
                _log.error("too many definitions to keep, the rest is not trusted server=%s", server.name)
            return digest, "waiting"
        pin = Pin(
            id=ident(server.name, kind, name, digest),
            server=server.name,
            kind=kind,
            name=name,
            digest=digest,
            definition=definition[:MAX_DEFINITION],
            state="waiting" if named or server.pins == "approve" else "trusted",
            flags=suspicion.flags(item, self._others(server.name)),
            seen_at=int(self._clock.now()),
        )
        changed = bool(named)
        self._put(_brief(pin))
        self.unsent[pin.id] = pin
        self.news.set()
        self._tell(call, server, pin, changed)
        return digest, pin.state

    def _others(self, server: str) -> frozenset[str]:
        return frozenset(
            name
            for other, known in self._known.items()
            if other != server
            for kind, name in known.names
            if kind == "tool"
        )

    def _tell(self, call: Call, server: Server, pin: Pin, changed: bool) -> None:
        """What is as it must be is no news."""
        withheld = not self._passes(server, pin.state)
        if not (changed or withheld or pin.flags):
            return
        action: Literal["new", "changed"] = "changed" if changed else "new"
        _log.warning(
            "definition %s server=%s kind=%s name=%.100r withheld=%s flags=%s",
            *(action, pin.server, pin.kind, pin.name, withheld, ",".join(pin.flags)),
        )
        access = call.access
        self._trail.record(
            PinEvent(
                at=self._clock.now(),
                request_id=call.request_id,
                principal_id=access.principal.id,
                principal=access.principal.username,
                client_id=access.client_id,
                client=access.client_name,
                address=call.address,
                action=action,
                server=pin.server,
                kind=pin.kind,
                name=pin.name,
                digest=pin.digest,
                withheld=withheld,
                flags=pin.flags,
            )
        ).add_done_callback(lambda future: None if future.cancelled() else future.exception())

    # -- calls --------------------------------------------------------------------------------------------

    async def check(self, call: Call, target: Target, link: Link) -> None:
        """Refuse what the instance defines in a way that is withheld. Raises ``Withheld``, ``LinkError``."""
        server = target.server
        if server.pins == "off" or target.kind not in _READ:
            return
        if server.pins == "flag":
            known = self._known.get(server.name)
            if known is None or not known.rejected:
                return
        kind, list_key = _READ[target.kind]
        book = self._fresh(link, kind) or await self._compared(call, server, kind, list_key, link)
        why = self._against(server, kind, target.name, book)
        if why and self._clock.monotonic() - book.at > AGAIN:
            book = await self._compared(call, server, kind, list_key, link)
            why = self._against(server, kind, target.name, book)
        if why:
            raise Withheld("unknown", f"withheld: {why}")

    def _against(self, server: Server, kind: PinKind, name: str, book: _Book) -> str:
        """Why something is withheld as this instance defines it; empty if it is not."""
        digests = book.names.get(name, ())
        known = self._known.get(server.name)
        named = known.names.get((kind, name), {}) if known is not None else {}
        if not digests and server.pins == "approve":
            return f"the server does not list this {kind}, so nobody approved it"
        if not digests and named and not any(self._passes(server, state) for state in named.values()):
            return f"the server does not list this {kind} any more, and nothing of its name is approved"
        for digest in digests:
            state = named.get(digest, "waiting")
            if not self._passes(server, state):
                pin = ident(server.name, kind, name, digest)[:12]
                why = "was rejected" if state == "rejected" else "waits for approval"
                return f"its definition {pin} {why} (gatekit pins diff {pin})"
        return ""

    def _fresh(self, link: Link, kind: PinKind) -> _Book | None:
        book = self._books.get(link, {}).get(kind)
        if book is None or book.changes != link.tools_changed or self._clock.monotonic() - book.at > KEPT:
            return None
        return book

    async def _compared(self, call: Call, server: Server, kind: PinKind, list_key: str, link: Link) -> _Book:
        """The names of an instance, read once for all who wait."""
        at = link, kind
        task = self._reading.get(at)
        if task is None:
            task = self._reading[at] = asyncio.ensure_future(self._read(call, server, kind, list_key, link))
            task.add_done_callback(lambda done: self._read_ended(at, done))
        await asyncio.wait({task}, timeout=PATIENCE)  # others may wait for it when this caller gives up
        if not task.done():
            raise LinkTimeout("its list did not come, and without it nothing can be compared")
        return task.result()

    def _read_ended(self, at: tuple[Link, PinKind], task: asyncio.Task[_Book]) -> None:
        self._reading.pop(at, None)
        if not task.cancelled():
            task.exception()

    async def _read(self, call: Call, server: Server, kind: PinKind, list_key: str, link: Link) -> _Book:
        changes, at = link.tools_changed, self._clock.monotonic()
        names: Names = {}
        if list_key in link.capabilities:
            async for item in _items(link, list_key):
                name = str(item.get("name", ""))
                names.setdefault(name, set()).add(self._state(call, server, kind, name, item)[0])
        book = _Book(names, at, changes)
        self._books.setdefault(link, {})[kind] = book
        return book


async def _items(link: Link, list_key: str) -> Any:
    """Everything in a list of an instance. Raises LinkError."""
    params: Mapping[str, Any] = {}
    for _ in range(_MAX_PAGES):
        outcome = await link.call(f"{list_key}/list", dict(params))
        if isinstance(outcome, Fault):
            if outcome.code == MethodNotFound.code:
                return
            raise LinkError(f"its list could not be compared: {outcome.message}")
        body = as_object(outcome.body)
        items = body.get(list_key)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield item
        cursor = body.get("nextCursor")
        if not isinstance(cursor, str):
            return
        params = {"cursor": cursor}


def _reads_one_way(page: bytes) -> bool:
    """Whether every reader finds in it what was compared (a repeated member is read differently)."""
    try:
        strict_json.read_object(page)
    except ValueError:
        return False
    return True


def told(answered: Answered, decision: Decision) -> Decision:
    """The decision as the record shall have it: what was withheld was refused."""
    return Deny(answered.detail, RULE) if answered.withheld else decision


def _brief(pin: Pin) -> Brief:
    return Brief(
        server=pin.server,
        kind=pin.kind,
        name=pin.name,
        digest=pin.digest,
        state=pin.state,
        size=len(pin.definition),
    )
