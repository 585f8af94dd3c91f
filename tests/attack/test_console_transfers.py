"""Many people and groups at once, at ``/admin/import`` and ``/admin/export``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx2
import pytest

from gatekit.admin.groups import Groups
from gatekit.admin.people import People
from gatekit.audit.query import Filter, search
from gatekit.model.people import Role
from gatekit.web.console.transfers import MAX_BYTES, MAX_ROWS
from tests.attack.world import form_of
from tests.support.administration import OPERATOR, Administration
from tests.support.consoles import browser, furnished, person, seen

PEOPLE = "username,email,display_name,role,disabled,groups\n"
NEW = PEOPLE + "zoe,zoe@example.com,Zoe,,,dev;ops\n"
MARK = "<script>alert(1)</script>"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with furnished(tmp_path) as found:
        yield found


async def sent(
    who: httpx2.AsyncClient, of: str, text: str, form: str = "csv", **more: str
) -> httpx2.Response:
    """The form with this text, as the page gives it, sent once."""
    page = await who.get(f"/admin/import?of={of}")
    _, hidden = form_of(page.text, f"/admin/import?of={of}")
    return await who.post(
        f"/admin/import?of={of}", data={"csrf": hidden["csrf"], "text": text, "form": form, **more}
    )


def again(page: httpx2.Response, of: str, text: str, form: str = "csv") -> dict[str, str]:
    """What the button below the preview sends."""
    _, hidden = form_of(page.text, f"/admin/import?of={of}")
    return {"csrf": hidden["csrf"], "seen": hidden.get("seen", ""), "text": text, "form": form}


async def test_nothing_is_done_before_it_was_shown(gate: Administration, tmp_path: Path) -> None:
    """B3: The first form only shows; the second does all of it, recorded like the command line's."""
    admin = await browser(gate, "ada", "admin")
    before = await seen(gate)
    shown = await sent(admin, "people", NEW)
    assert shown.status_code == 200
    assert "Line 2: create zoe" in shown.text
    assert "groups=dev,ops" in shown.text
    assert await seen(gate) == before
    forged = await sent(admin, "people", NEW, seen="x")
    assert forged.status_code == 409
    assert await seen(gate) == before
    done = await admin.post("/admin/import?of=people", data=again(shown, "people", NEW))
    assert "All of it is done" in done.text
    zoe = await person(gate, "zoe")
    assert {row.group for row in await gate.store.groups.of_user(zoe.id)} == {"dev", "ops"}
    found = next(iter(search(tmp_path / "data" / "audit", Filter(event="admin")))).fields
    assert (found["action"], found["target"], found["door"]) == ("user.create", "zoe", "page")


async def test_another_text_or_another_plan_is_shown_again(gate: Administration) -> None:
    """B3: The token of the preview stands for the text and for what would happen, and for neither alone."""
    admin, other = await browser(gate, "ada", "admin"), await browser(gate, "olga", "owner")
    text = PEOPLE + "carol,carol@example.com,Carol,,true,\n"
    shown = await sent(admin, "people", text)
    hidden = again(shown, "people", text)
    before = await seen(gate)
    swapped = await admin.post(
        "/admin/import?of=people", data={**hidden, "text": text.replace("carol", "bob")}
    )
    assert swapped.status_code == 409
    assert "This is not what was shown before" in swapped.text
    assert (await other.post("/admin/import?of=people", data=hidden)).status_code == 403
    assert (await admin.post("/admin/import?of=groups", data=hidden)).status_code == 403
    assert await seen(gate) == before
    await Groups(*gate.parts).add(OPERATOR, "dev", ["carol"])
    stale = await admin.post("/admin/import?of=people", data=hidden)
    assert stale.status_code == 409
    assert "groups=dev" in stale.text
    assert not (await person(gate, "carol")).disabled
    # Whoever has the name now is not whom the page showed.
    fresh = again(stale, "people", text)
    await Groups(*gate.parts).remove(OPERATOR, "dev", ["carol"])
    shown = await sent(admin, "people", text)
    fresh = again(shown, "people", text)
    await People(*gate.parts).delete(OPERATOR, "carol")
    await gate.person("carol2")
    await People(*gate.parts).create(OPERATOR, "carol")
    assert (await admin.post("/admin/import?of=people", data=fresh)).status_code == 409
    assert not (await person(gate, "carol")).disabled


@pytest.mark.parametrize("role", ["member", "auditor", "admin", "owner"])
async def test_whoever_reads_takes_out_and_whoever_writes_brings_in(gate: Administration, role: Role) -> None:
    """I12: An auditor gets the files and no form; a member neither."""
    who = await browser(gate, "mel", role)
    for of in ("people", "groups"):
        for form in ("csv", "json"):
            file = await who.get(f"/admin/export?of={of}&form={form}")
            assert file.status_code == (403 if role == "member" else 200)
            kept = file.headers.get("content-disposition", "")
            assert kept == ("" if role == "member" else f'attachment; filename="{of}.{form}"')
        writes = role in {"admin", "owner"}
        assert (await who.get(f"/admin/import?of={of}")).status_code == (200 if writes else 403)
        answer = await who.post(f"/admin/import?of={of}", data={"csrf": "x", "text": NEW, "form": "csv"})
        assert answer.status_code == 403
        page = await who.get(f"/admin/{of}")
        assert ("/admin/import" in page.text) is writes


async def test_a_browser_that_was_left_open_brings_nothing_in(gate: Administration) -> None:
    """B3: An import may make people and roles: it wants a sign-in of now, like adding one person."""
    stale = await browser(gate, "olga", "owner", signed_in=3000)
    page = await stale.get("/admin/import?of=people")
    assert "password" in page.text
    assert "textarea" not in page.text


async def test_a_file_gives_nobody_more_than_a_form_would(gate: Administration) -> None:
    """I24: An admin makes no admins and touches no owner; one such line refuses all of the file."""
    admin = await browser(gate, "ada", "admin")
    before = await seen(gate)
    text = PEOPLE + "zoe,,,,,\ncarol,,,admin,,\nkit,,,,true,\nada,,,owner,,\n"
    answer = await sent(admin, "people", text)
    assert answer.status_code == 400
    assert "Nothing was changed" in answer.text
    assert all(f"line {line}:" in answer.text for line in (3, 4, 5))
    assert 'name="seen"' not in answer.text
    assert await seen(gate) == before


async def test_what_is_wrong_is_told_with_its_line_and_what_was_typed_stays(gate: Administration) -> None:
    admin = await browser(gate, "ada", "admin")
    tries: tuple[tuple[str, str, str, str], ...] = (
        ("people", PEOPLE + f"{MARK},,,,,\nbob,,,,,nowhere\n", "csv", "line 3: there is no group nowhere"),
        ("people", "who\nbob\n", "csv", "The first line names the columns"),
        ("people", PEOPLE + "bob\n", "csv", "Line 2: 1 cells for 6 columns"),
        ("people", "{}", "json", "Expected a JSON list of objects"),
        ("people", "[" * 100_000, "json", "This is not JSON"),
        ("people", '[{"username": "\\ud800"}]', "json", "This is not JSON"),
        ("people", 'username,groups\nbob,"' + "[" * 100_000 + '"\n', "csv", "line 2"),
        ("people", PEOPLE, "csv", "Nothing would change"),
        ("people", "username\n" + "bob\n" * (MAX_ROWS + 1), "csv", f"{MAX_ROWS + 1} rows"),
        ("people", NEW, "xml", "Choose CSV or JSON"),
        ("groups", "name,children\ndev,dev\n", "csv", "line 2"),
        ("groups", '[{"name": "no name"}, {"name": "dev", "members": ["nobody"]}]', "json", "line 2"),
    )
    before = await seen(gate)
    for of, text, form, words in tries:
        answer = await sent(admin, of, text, form)
        assert answer.status_code in {400, 404, 409}, text[:50]
        assert words in unescape(answer.text), (text[:50], answer.text[:3000])
        assert MARK not in answer.text
        assert form == "xml" or unescape(text[:100]) in unescape(answer.text)
    large = await sent(admin, "people", "x" * MAX_BYTES)
    assert large.status_code == 413
    assert (await admin.get("/admin/import?of=servers")).status_code == 404
    assert (await admin.get("/admin/export?of=people&form=html")).status_code == 400
    assert await seen(gate) == before


async def test_what_is_taken_out_can_be_brought_in(gate: Administration) -> None:
    """I12: No cell of the file is a formula, and brought in again it changes nothing."""
    admin = await browser(gate, "olga", "owner")
    await People(*gate.parts).create(OPERATOR, "yan", display_name="=1+1")
    file = await admin.get("/admin/export?of=people&form=csv")
    rows = {row["username"]: row for row in csv.DictReader(io.StringIO(file.text))}
    assert rows["yan"]["display_name"] == "'=1+1"
    assert not any(name.startswith("service:") for name in rows)
    for of, form in (("people", "csv"), ("people", "json"), ("groups", "csv"), ("groups", "json")):
        text = (await admin.get(f"/admin/export?of={of}&form={form}")).text
        answer = await sent(admin, of, text, form)
        assert "Nothing would change" in answer.text, (of, form)
    groups = json.loads((await admin.get("/admin/export?of=groups&form=json")).text)
    dev = next(row for row in groups if row["name"] == "dev")
    text = json.dumps([{**dev, "title": "Developers", "members": ["bob", "carol"]}])
    shown = await sent(admin, "groups", text, "json")
    assert "members=bob,carol" in shown.text
    done = await admin.post("/admin/import?of=groups", data=again(shown, "groups", text, "json"))
    assert "All of it is done" in done.text
    assert {row.user_id for row in await gate.store.groups.members("dev")} == {"usr_bob", "usr_carol"}
