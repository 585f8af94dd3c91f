"""Rules at ``/admin``: what one would change is shown before it counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.audit.query import Filter, search
from gatekit.model.pins import ident
from gatekit.model.rules import StoredRule
from tests.support.administration import Administration
from tests.support.consoles import PIN, Answer, browser, do, furnished, question

SPELLED = {"effect": "deny", "ends": ""}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with furnished(tmp_path) as found:
        drop = replace(
            PIN,
            id=ident("echo", "tool", "drop_table", "5" * 64),
            server="echo",
            name="drop_table",
            digest="5" * 64,
            state="trusted",
        )
        await found.store.pins.sight([drop])
        yield found


async def twice(who: httpx2.AsyncClient, deed: str, about: dict[str, str], /, **typed: str) -> Answer:
    """The form, then the page that shows what it would change, and its button."""
    first = await do(who, deed, about, **{**SPELLED, **typed})
    if first.status != 200 or first.done is None:
        return first
    target, hidden = question(first.done, deed)
    return Answer(first.done, await who.post(target, data={**SPELLED, **typed, **hidden}))


async def rules(gate: Administration) -> dict[str, StoredRule]:
    return {rule.name: rule for rule in await gate.store.rules.list()}


async def test_a_rule_is_made_after_its_page_has_shown_what_it_changes(
    gate: Administration, tmp_path: Path
) -> None:
    """B3: The first sending shows and makes nothing; the second makes exactly that; it is recorded."""
    admin = await browser(gate, "ada", "admin")
    typed = {
        "rule": "no-bob",
        "who": "local:bob",
        "servers": "echo",
        "reason": "not bob",
        "more": 'arguments: {"/path": {under: [/srv/keys]}}',
    }
    shown = await do(admin, "rule-add", {}, **{**SPELLED, **typed, "more": ""})
    assert "echo, as a whole: may → may not, for bob." in shown.text
    assert "Make the rule</button>" in shown.text
    assert set(await rules(gate)) == {"no-drops"}
    answer = await twice(admin, "rule-add", {}, **typed)
    assert "The rule counts." in answer.text
    assert "denies" in answer.text
    assert "/path under /srv/keys" in answer.text
    assert "under" in (await rules(gate))["no-bob"].body
    found = [each.fields for each in search(tmp_path / "data" / "audit", Filter(event="admin"))]
    assert (found[0]["action"], found[0]["target"]) == ("rule.add", "no-bob")


async def test_what_was_shown_is_what_is_made(gate: Administration) -> None:
    """B3: Other words than those that were shown, or a rule that changed meanwhile, are shown first."""
    admin = await browser(gate, "ada", "admin")
    typed = {**SPELLED, "rule": "mine", "who": "local:bob", "servers": "echo"}
    shown = await do(admin, "rule-add", {}, **typed)
    assert shown.done is not None
    target, hidden = question(shown.done, "rule-add")
    other = await admin.post(target, data={**typed, **hidden, "who": "local:carol"})
    assert "may → may not, for carol." in other.text
    assert "mine" not in await rules(gate)
    about = {"name": "no-drops"}
    target, hidden = question(await admin.get("/admin/do/rule-off", params=about), "rule-off")
    await gate.store.rules.replace(replace((await rules(gate))["no-drops"], body='{"effect": "deny"}'))
    again = await admin.post(target, data=hidden)
    assert again.status_code == 409
    assert (await rules(gate))["no-drops"].enabled


async def test_a_rule_is_changed_switched_off_and_on_and_removed(gate: Administration) -> None:
    admin, auditor = await browser(gate, "ada", "admin"), await browser(gate, "aud", "auditor")
    about = {"name": "no-drops"}
    page = (await auditor.get("/admin/rule", params=about)).text
    assert "tool drop_*" in page
    assert "/admin/do/rule-" not in page
    assert "no-drops" in (await auditor.get("/admin/rules")).text
    off = await do(admin, "rule-off", about)
    assert "echo, tool drop_table: may not → may, for" in off.asked.text
    assert not (await rules(gate))["no-drops"].enabled
    on = await do(admin, "rule-on", about)
    assert "echo, tool drop_table: may → may not, for" in on.asked.text
    assert (await rules(gate))["no-drops"].enabled
    trial = await twice(admin, "rule-change", about, tools="drop_*", shadow="yes", ends="3600")
    assert "The rule is changed." in trial.text
    assert "A trial: nothing of this happens." in trial.asked.text
    row = (await rules(gate))["no-drops"]
    assert "shadow" in row.body
    assert row.expires_at is not None
    kept = await twice(admin, "rule-change", about, tools="drop_*", ends="keep")
    assert kept.status == 200
    assert (await rules(gate))["no-drops"].expires_at == row.expires_at
    assert "The rule is removed." in (await do(admin, "rule-remove", about)).text
    assert await rules(gate) == {}


async def test_what_is_wrong_is_told_and_what_was_typed_stays(gate: Administration) -> None:
    """A slip makes no rule: an unknown key, a key twice, nobody in particular, a server that is not there."""
    admin = await browser(gate, "ada", "admin")
    before = await rules(gate)
    tries = (
        ({"rule": "x", "more": "argumens: {}"}, "argumens"),
        ({"rule": "x", "more": "effect: allow"}, "effect"),
        ({"rule": "x", "more": "{"}, ""),
        ({"rule": "x", "who": "*"}, "nobody in particular"),
        ({"rule": "x", "servers": "ecko"}, "ecko"),
        ({"rule": "x", "effect": "allow"}, "nobody"),
        ({"rule": "x", "effect": "maybe"}, "effect"),
        ({"rule": "no-drops"}, "already"),
        ({"rule": "Not A Name"}, "name"),
        ({"rule": "x", "ends": "7"}, "how long"),
        ({"rule": "x", "more": 'arguments: {"/a": {matches: "(?<=x)"}}'}, ""),
    )
    for typed, word in tries:
        answer = await do(admin, "rule-add", {}, **{**SPELLED, "reason": "kept words", **typed})
        assert answer.status == 400, (typed, answer.text)
        assert "Nothing was changed." in answer.text
        assert word in answer.text, typed
        assert 'value="kept words"' in answer.text
    assert await rules(gate) == before


async def test_nobody_names_a_variable_of_the_machine(gate: Administration) -> None:
    """What is typed is text: no reference in it is followed, and markup in it is shown as text."""
    admin = await browser(gate, "ada", "admin")
    typed = {**SPELLED, "rule": "x", "who": "local:bob", "reason": "${env:PATH} <script>alert(1)</script>"}
    answer = await twice(admin, "rule-add", {}, **typed)
    assert "${env:PATH}" in answer.text
    assert "<script>" not in answer.last.text
