"""``store.rule_ports.StoredRules``."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.errors import Conflict, NotFound
from gatekit.model.rules import StoredRule
from gatekit.store.ports import Store


def rule(name: str, **more: Any) -> StoredRule:
    known: dict[str, Any] = {"body": '{"effect":"deny"}', "created_at": 1, "updated_at": 1}
    return StoredRule(name=name, created_by="ada", updated_by="ada", **{**known, **more})


async def test_rules_are_kept_by_name(store: Store) -> None:
    second, first = rule("b", enabled=False, expires_at=9), rule("a")
    await store.rules.add(second)
    await store.rules.add(first)
    assert await store.rules.list() == [first, second]
    assert await store.rules.get("b") == second
    assert await store.rules.get("c") is None
    with pytest.raises(Conflict, match="a rule called a already"):
        await store.rules.add(replace(first, body="{}"))
    assert await store.rules.get("a") == first


async def test_what_made_a_rule_stays_when_it_changes(store: Store) -> None:
    await store.rules.add(rule("a", expires_at=9))
    wanted = rule("a", body="{}", enabled=False, created_at=5, updated_at=7)
    assert await store.rules.replace(wanted) == rule("a", expires_at=9)
    assert await store.rules.get("a") == replace(wanted, created_at=1)
    assert await store.rules.remove("a") == replace(wanted, created_at=1)
    for attempt in (store.rules.replace(wanted), store.rules.remove("a")):
        with pytest.raises(NotFound):
            await attempt


async def test_every_change_is_told(store: Store) -> None:
    seen, _ = await store.changes.since(2**62)
    await store.rules.add(rule("a"))
    await store.rules.replace(rule("a", enabled=False))
    await store.rules.remove("a")
    assert (await store.changes.since(seen))[1] == ["rule:a"] * 3
