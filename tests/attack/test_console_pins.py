"""Pins at ``/admin``: what a server says is looked at, and exactly that is agreed to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
from msgspec.structs import replace

from gatekit.audit.query import Filter, search
from gatekit.model.pins import PinState, ident
from tests.support.administration import Administration
from tests.support.consoles import BEFORE, PIN, browser, do, furnished, question

ABOUT_PIN = {"id": PIN.id}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with furnished(tmp_path) as found:
        yield found


async def state(gate: Administration, pin_id: str = PIN.id) -> PinState:
    return next(pin.state for pin in await gate.store.pins.list() if pin.id == pin_id)


async def test_what_a_server_wrote_is_shown_harmless_and_what_is_hidden_by_name(gate: Administration) -> None:
    """B5: Markup of a server is text; a character without a shape is written as its name."""
    mark = "<script>alert(1)</script>"
    evil = replace(
        PIN,
        id=ident("db", "tool", mark, "3" * 64),
        name=mark,
        digest="3" * 64,
        definition=json.dumps({"name": mark, "description": f"</bdi>{mark} \u202e \U000e0068\U000e0069"}),
    )
    await gate.store.pins.sight([evil])
    auditor = await browser(gate, "aud", "auditor")
    pages = [
        (await auditor.get("/admin/pins?state=all")).text,
        (await auditor.get("/admin/pin", params={"id": evil.id})).text,
    ]
    for page in pages:
        assert mark not in page
        assert "\u202e" not in page
        assert mark in unescape(page)
    assert "<mark>RIGHT-TO-LEFT OVERRIDE</mark>" in pages[1]
    assert "<mark>TAG CHARACTERS: hi</mark>" in pages[1]


async def test_an_auditor_looks_and_an_admin_approves_what_was_shown(
    gate: Administration, tmp_path: Path
) -> None:
    """I12: The words that changed, the suspicion and the buttons of who may press them; it is recorded."""
    auditor, admin = await browser(gate, "aud", "auditor"), await browser(gate, "ada", "admin")
    assert "/admin/do/pin-" not in (await auditor.get("/admin/pin", params=ABOUT_PIN)).text
    assert ">query</bdi>" in (await auditor.get("/admin/pins")).text
    asked = await admin.get("/admin/do/pin-approve", params=ABOUT_PIN)
    for page in (await admin.get("/admin/pin", params=ABOUT_PIN), asked):
        assert "<del>question</del>" in page.text
        assert "<ins>query.</ins>" in page.text
        assert "<mark>ZERO WIDTH SPACE</mark>" in page.text
        assert "It gives orders to the model." in page.text
    done = await do(admin, "pin-approve", ABOUT_PIN)
    assert "The definition is approved." in done.text
    assert "Nothing waits for a look." in done.text
    assert await state(gate) == "approved"
    again = await admin.get("/admin/do/pin-approve", params=ABOUT_PIN)
    assert again.status_code == 409
    assert "The definition is withheld." in (await do(admin, "pin-reject", ABOUT_PIN)).text
    assert await state(gate) == "rejected"
    found = [each.fields for each in search(tmp_path / "data" / "audit", Filter(event="admin"))]
    ours = [each for each in reversed(found) if each["action"].startswith("pin.")]
    assert [(each["action"], each["principal"], each["door"]) for each in ours] == [
        ("pin.approve", "ada", "page"),
        ("pin.reject", "ada", "page"),
    ]
    assert all(PIN.digest in each["after"] for each in ours)


async def test_a_form_approves_nothing_but_what_its_page_showed(gate: Administration) -> None:
    """B3: Not another definition of the same name, and not after what it was compared with was rejected."""
    admin = await browser(gate, "ada", "admin")
    target, hidden = question(await admin.get("/admin/do/pin-approve", params=ABOUT_PIN), "pin-approve")
    later = replace(PIN, id=ident("db", "tool", "query", "4" * 64), digest="4" * 64)
    await gate.store.pins.sight([later])
    other = await admin.post(target.replace(PIN.id, later.id), data=hidden)
    assert other.status_code == 403
    await gate.store.pins.decide(BEFORE.id, "rejected", "olga", 7)
    again = await admin.post(target, data=hidden)
    assert again.status_code == 409
    assert "It changed after this page was shown" in again.text
    assert "nothing: no definition of this name" in (await admin.get("/admin/pin", params=ABOUT_PIN)).text
    assert [await state(gate, each) for each in (PIN.id, later.id)] == ["waiting", "waiting"]


async def test_a_page_is_about_one_whole_id(gate: Administration) -> None:
    """B3: A beginning names nothing here: a server can find another definition that begins alike."""
    admin = await browser(gate, "ada", "admin")
    for ident_ in (PIN.id[:12], PIN.id.upper(), "x" * 32, "%", "0" * 32):
        for page in ("/admin/pin", "/admin/do/pin-approve", "/admin/do/pin-reject"):
            assert (await admin.get(page, params={"id": ident_})).status_code in {400, 404}, (page, ident_)


async def test_a_program_lists_shows_and_decides(gate: Administration) -> None:
    """I24: By whole ids, within its scopes; what changed meanwhile is not written over."""
    key = await gate.key("kit", ("pins:read", "pins:write"))
    async with gate.http(key) as http:
        listed = (await http.get("/pins?state=waiting")).json()
        assert [each["id"] for each in listed["items"]] == [PIN.id]
        assert "definition" not in listed["items"][0]
        shown = await http.get(f"/pins/{PIN.id}")
        assert shown.json()["before"]["id"] == BEFORE.id
        assert any("\\u{200b}" in line for line in shown.json()["lines"])
        for bad in (PIN.id[:12], "x" * 32):
            for path in (f"/pins/{bad}/approve", f"/pins/{bad}/reject"):
                assert (await http.post(path)).status_code == 404
        tag = shown.headers["etag"]
        done = await http.post(f"/pins/{PIN.id}/reject", headers={"If-Match": tag})
        assert done.json()["facts"]["state"] == "rejected"
        late = await http.post(f"/pins/{PIN.id}/approve", headers={"If-Match": tag})
        assert late.status_code == 412
    async with gate.http(await gate.key("kit", ("pins:read",))) as http:
        assert (await http.post(f"/pins/{PIN.id}/approve")).status_code == 403
    assert await state(gate) == "rejected"


async def test_the_overview_says_what_waits(gate: Administration) -> None:
    admin = await browser(gate, "ada", "admin")
    assert "1 definition of a tool waits for a look" in (await admin.get("/admin")).text
    await gate.store.pins.decide(PIN.id, "approved", "ada", 7)
    assert "for a look" not in (await admin.get("/admin")).text
