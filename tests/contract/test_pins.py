"""``store.pin_ports.Pins``."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.errors import NotFound
from gatekit.model.pins import Pin, ident
from gatekit.store.pin_ports import Sought
from gatekit.store.ports import Store


def pin(name: str, digest: str, **more: Any) -> Pin:
    known: dict[str, Any] = {"server": "db", "kind": "tool", "name": name, "digest": digest}
    return Pin(
        id=ident("db", "tool", name, digest),
        **{**known, "definition": "{}", "state": "trusted", "seen_at": 1, **more},
    )


async def test_only_the_first_of_a_name_is_trusted(store: Store) -> None:
    first, second, other = pin("a", "1"), pin("a", "2", flags=("instructions",), seen_at=2), pin("b", "1")
    assert await store.pins.sight([first, second, other]) == ["trusted", "waiting", "trusted"]
    assert await store.pins.sight([replace(first, seen_at=9)]) == ["trusted"]
    assert await store.pins.list("db") == [first, replace(second, state="waiting"), other]
    assert await store.pins.list("other") == []
    assert {(one.name, one.digest, one.state, one.size) for one in await store.pins.brief()} == {
        ("a", "1", "trusted", 2),
        ("a", "2", "waiting", 2),
        ("b", "1", "trusted", 2),
    }


async def test_a_decision_is_kept_and_told(store: Store) -> None:
    first = pin("a", "1")
    await store.pins.sight([first])
    seen, _ = await store.changes.since(2**62)
    assert await store.pins.decide(first.id, "rejected", "ada", 7) == first
    assert (await store.pins.list())[0] == replace(first, state="rejected", decided_at=7, decided_by="ada")
    assert (await store.changes.since(seen))[1] == ["pin:db"]
    assert await store.pins.sight([first]) == ["rejected"]
    with pytest.raises(NotFound):
        await store.pins.decide("none", "approved", "ada", 7)


async def test_definitions_are_found_by_what_is_known_of_them(store: Store) -> None:
    one, two = pin("a", "1"), replace(pin("b", "1"), state="waiting")
    await store.pins.sight([one, two])
    for sought, found in (
        (Sought(server="db"), [one, two]),
        (Sought(server="other"), []),
        (Sought(kind="tool", name="b"), [two]),
        (Sought(state="waiting"), [two]),
        (Sought(beginning=one.id[:10]), [one]),
        (Sought(beginning=one.id, state="waiting"), []),
        (Sought(beginning="%"), []),
    ):
        assert await store.pins.find(sought) == found
    assert await store.pins.find(Sought(name="a"), whole=False) == [replace(one, definition="")]
