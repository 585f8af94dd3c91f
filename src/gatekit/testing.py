"""The public test kit for authors of plugins: runs a plugin in a real chain, without a gateway.

::

    from gatekit.plugin import Block
    from gatekit.testing import Kit
    from no_drop import NoDrop

    async def test_drop() -> None:
        kit = Kit(NoDrop, word="drop")
        assert isinstance(await kit.request("query", {"sql": "DROP TABLE t"}), Block)
        assert (await kit.request("query", {"sql": "select 1"})).arguments == {"sql": "select 1"}

What a hook raises fails the test; ``Kit(…, strict=False)`` shows what a gateway would make of it instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from gatekit.errors import PluginError
from gatekit.plugin import (
    Answer,
    Answered,
    Asked,
    Block,
    Listed,
    OnError,
    Plugin,
    Questioned,
    Record,
    Said,
    Subject,
)
from gatekit.plugins.chain import Chain, Done
from gatekit.plugins.loader import of_class
from gatekit.plugins.verdicts import Entry

ALICE = Subject(
    principal_id="usr_alice",
    username="alice",
    groups=frozenset({"staff"}),
    role="member",
    client_id="cli_test",
    client_name="test client",
    credential="access_token",
    server="test",
    session="session",
    request_id="request",
    address="192.0.2.1",
)
"""Who asks, unless a test says otherwise: ``msgspec.structs.replace(ALICE, username="bob")``."""


class Kit:
    """One plugin, placed as an operator would place it."""

    def __init__(
        self,
        plugin: type[Plugin],
        *,
        name: str = "plugin",
        on_error: OnError = "closed",
        deadline: float = 5.0,
        subject: Subject = ALICE,
        strict: bool = True,
        **options: Any,
    ) -> None:
        """``options``: as they would stand in the file. Raises PluginError if they do not fit."""
        self.plugin = of_class(plugin, options, name)
        self.subject = subject
        self.seen: list[str] = []
        """What the audit record would hold."""
        self._strict = strict
        self._chain = Chain(
            subject.server, [Entry(name=name, plugin=self.plugin, on_error=on_error, deadline=deadline)]
        )

    async def request(
        self,
        name: str = "",
        arguments: Mapping[str, Any] | None = None,
        *,
        method: str = "tools/call",
        meta: Mapping[str, Any] | None = None,
        tool: Mapping[str, Any] | None = None,
    ) -> Asked | Answer | Block:
        """What the server would be asked, or how the call ends without it. ``tool``: as the server lists
        it."""

        async def listed(asked: str) -> Mapping[str, Any] | None:
            return tool if asked == name else None

        asked = Asked(
            method=method,
            name=name,
            arguments=arguments or {},
            meta=meta or {},
            tool=listed if method == "tools/call" else None,
        )
        went = await self._chain.request(self.subject, asked, self.seen)
        self._check()
        if isinstance(went, Done):
            return Answer(went.result)
        return went if isinstance(went, Block) else went.asked

    async def response(
        self,
        body: Mapping[str, Any],
        name: str = "",
        arguments: Mapping[str, Any] | None = None,
        *,
        method: str = "tools/call",
        kind: Literal["result", "error"] = "result",
    ) -> Mapping[str, Any] | Block:
        """What the client would get."""
        asked = Asked(method=method, name=name, arguments=arguments or {})
        raw = msgspec.json.encode(body)
        answered = Answered(method, name, msgspec.json.decode(raw), kind=kind)
        back = await self._chain.response(self.subject, asked, answered, self.seen)
        self._check()
        return back if isinstance(back, Block) else back.body

    async def list(
        self, items: Sequence[Mapping[str, Any]], *, method: str = "tools/list", key: str = "tools"
    ) -> Sequence[Mapping[str, Any]] | Block:
        """What the client would be shown."""
        listed = Listed(method=method, key=key, items=tuple(items))
        found = await self._chain.listed(self.subject, listed, self.seen)
        self._check()
        return found if isinstance(found, Block) else found.items

    async def notification(
        self, method: str, params: Mapping[str, Any], *, to: Literal["client", "server"] = "client"
    ) -> Mapping[str, Any] | None:
        """What would be heard of it; None: nothing."""
        heard = self._chain.heard(self.subject, Said(method=method, params=params, to=to), self.seen)
        said = heard if heard is None or isinstance(heard, Said) else await heard
        self._check()
        return None if said is None else said.params

    async def question(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any] | Answer | Block:
        """What the client would be asked."""
        questioned = Questioned(method=method, params=params)
        put = await self._chain.question(self.subject, questioned, self.seen)
        self._check()
        return put.params if isinstance(put, Questioned) else put

    async def answer(
        self, method: str, params: Mapping[str, Any], body: Mapping[str, Any]
    ) -> Mapping[str, Any] | Block:
        """What the server would hear of the client's answer."""
        questioned = Questioned(method=method, params=params)
        back = await self._chain.answer(self.subject, questioned, Answered(method, "", body), self.seen)
        self._check()
        return back if isinstance(back, Block) else back.body

    async def record(self, **event: Any) -> bool:
        """Whether the call would be answered."""
        return await self._chain.recorded(self.subject, Record(event=event))

    def _check(self) -> None:
        failures = [note for note in self.seen if ":error:" in note]
        if self._strict and failures:
            raise PluginError(
                f"{failures[0]} (the log says where; strict=False for what a gateway makes of it)"
            )
