"""Rules that administrators make."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from gatekit.admin.desk import Actor
from gatekit.admin.rules import MAX_RULES, Rules
from gatekit.errors import Conflict, Forbidden, InvalidInput, NotFound
from gatekit.model.audit import AdminEvent
from gatekit.model.rules import StoredRule
from gatekit.policy.written import Known, written_from
from tests.unit.admin.conftest import NOW, Setting

DENY = written_from({"effect": "deny", "tools": ["drop_*"]})
FILE = Known(servers=("db",), connections=("okta",), groups=("sre",))


def desk(setting: Setting, known: Known | None = None) -> Rules:
    return Rules(*setting.parts, known=lambda: known or Known())


async def test_a_rule_is_made_changed_and_removed_on_record(setting: Setting) -> None:
    rules = desk(setting)
    made = await rules.add(setting.actor, "no-drops", DENY, expires_at=NOW + 60)
    assert await rules.list(setting.actor) == [made]
    assert (made.created_by, made.created_at, made.expires_at) == ("ops", NOW, NOW + 60)

    setting.clock.at += 100  # it has expired; whatever else changes, it stays so
    off = await rules.change(setting.actor, "no-drops", enabled=False)
    assert (off.body, off.enabled, off.expires_at) == (made.body, False, NOW + 60)
    stays = await rules.change(setting.actor, "no-drops", written_from({"effect": "deny"}), expires_at=None)
    assert (stays.enabled, stays.expires_at) == (False, None)
    assert await rules.show(setting.actor, "no-drops") == stays
    assert await rules.remove(setting.actor, "no-drops") == stays

    events = [event for event in setting.trail.events if isinstance(event, AdminEvent)]
    assert [event.action for event in events] == ["rule.add", *["rule.change"] * 2, "rule.remove"]
    assert events[0].after == f'rule={{"effect":"deny","tools":["drop_*"]}} expires_at={NOW + 60}'
    assert (events[1].before, events[1].after) == (
        events[0].after,
        f'rule={{"effect":"deny","tools":["drop_*"]}} enabled=false expires_at={NOW + 60}',
    )
    assert events[3].before == 'rule={"effect":"deny"} enabled=false'


async def test_names_are_taken_once_and_must_be_there(setting: Setting) -> None:
    rules = desk(setting)
    await rules.add(setting.actor, "one", DENY)
    with pytest.raises(Conflict):
        await rules.add(setting.actor, "one", DENY)
    attempts: list[Awaitable[Any]] = [
        rules.change(setting.actor, "two", enabled=False),
        rules.remove(setting.actor, "two"),
        rules.show(setting.actor, "two"),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"effect": "deny", "servers": ["bd"]}, "no server 'bd'"),
        ({"effect": "deny", "who": ["group:ser"]}, "no group 'ser'"),
        ({"effect": "deny", "who": ["octa:bob"]}, "no connection 'octa'"),
        ({"effect": "deny", "unless": ["group:octa/x"]}, "no connection 'octa'"),
    ],
)
async def test_a_slip_is_no_rule(setting: Setting, written: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        await desk(setting, FILE).add(setting.actor, "one", written_from(written))
    await desk(setting).add(setting.actor, "one", written_from(written))  # the file is not known


async def test_what_is_there_may_be_meant(setting: Setting) -> None:
    who = ["group:sre", "okta:bob", "group:okta/x", "local:bob", "service:ci", "client:ci", "a@b.c"]
    written = written_from({"effect": "deny", "servers": ["DB", "d*"], "who": who})
    await desk(setting, FILE).add(setting.actor, "one", written)


async def test_a_moment_that_has_passed_ends_nothing(setting: Setting) -> None:
    rules = desk(setting)
    with pytest.raises(InvalidInput, match="passed"):
        await rules.add(setting.actor, "one", DENY, expires_at=NOW)
    await rules.add(setting.actor, "one", DENY)
    with pytest.raises(InvalidInput, match="passed"):
        await rules.change(setting.actor, "one", expires_at=NOW - 1)


async def test_there_is_an_end_to_rules(setting: Setting) -> None:
    for number in range(MAX_RULES):
        row = StoredRule(
            name=f"r{number}", body="{}", created_at=1, created_by="", updated_at=1, updated_by=""
        )
        await setting.store.rules.add(row)
    with pytest.raises(Conflict, match=str(MAX_RULES)):
        await desk(setting).add(setting.actor, "one-more", DENY)


async def test_who_may(setting: Setting) -> None:
    rules = desk(setting)
    auditor, key = Actor("eve", "page", role="auditor"), Actor("k", "api", role="owner", scopes=frozenset())
    await rules.list(auditor)
    for actor in (auditor, key):
        attempts: list[Awaitable[Any]] = [
            rules.add(actor, "one", DENY),
            rules.change(actor, "one", enabled=False),
            rules.remove(actor, "one"),
        ]
        for attempt in attempts:
            with pytest.raises(Forbidden):
                await attempt
    with pytest.raises(Forbidden):
        await rules.list(Actor("bob", "page"))
