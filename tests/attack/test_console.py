"""The pages at ``/admin``: whoever comes, by role, and forms that are not the page's own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx2
import pytest

from gatekit.admin.people import People
from gatekit.audit.query import Filter, search
from gatekit.model.connections import StoredConnection
from gatekit.model.people import Role
from gatekit.web.console.acts import ACTS
from gatekit.web.console.route import APPROVALS, DOORS
from tests.attack.world import form_of
from tests.support.administration import OPERATOR, URL, Administration, administration
from tests.support.consoles import browser

ROLES: tuple[Role, ...] = ("member", "auditor", "admin", "owner")
MARK = "<script>alert(1)</script>"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path) as found:
        yield found


async def confirm(
    who: httpx2.AsyncClient, act: str, name: str, follow: bool = True, **fields: str
) -> httpx2.Response:
    """Open the page that asks, and press its button."""
    page = await who.get(f"/admin/person/{act}", params={"name": name})
    if page.status_code != 200:
        return page
    target, hidden = asked(page, act)
    return await who.post(target, data={**hidden, **fields}, follow_redirects=follow)


def asked(page: httpx2.Response, act: str) -> tuple[str, dict[str, str]]:
    """Where the form of the page goes, and what it sends by itself."""
    action = re.search(f'action="(/admin/person/{act}[^"]*)"', page.text)
    assert action is not None
    _, hidden = form_of(page.text, action[1])
    return unescape(action[1]), hidden


def readable(path: str) -> str:
    return path.replace("{act}", "disable").replace("{deed}", "group-delete") + "?name=bob"


async def test_members_open_nothing_and_auditors_only_look(gate: Administration) -> None:
    """I12: A member gets 403 at every page and form, but for the page of approvals, which is empty for who
    approves nothing; an auditor sees the pages, and no form does anything."""
    await gate.person("bob")
    member, auditor = await browser(gate, "mel", "member"), await browser(gate, "aud", "auditor")
    for path, method in DOORS:
        answer = await member.request(method, readable(path), data={"a": "b"} if method == "POST" else None)
        if path == APPROVALS:
            assert "Nothing waits." in answer.text
            answer = await member.get(f"{path}?id=apr_bob")
        assert answer.status_code == (404 if path == APPROVALS else 403), path
        assert not re.search(r"\bbob\b", answer.text)
    for path in ("/admin", "/admin/people", "/admin/person?name=bob", "/admin/groups", "/admin/keys"):
        assert (await auditor.get(path)).status_code == 200, path
    assert "/admin/person/" not in (await auditor.get("/admin/person?name=bob")).text
    for act in ACTS:
        assert (await auditor.get(f"/admin/person/{act.name}?name=bob")).status_code == 403
        refused = await auditor.post(f"/admin/person/{act.name}?name=bob", data={"csrf": "x"})
        assert refused.status_code == 403
    assert not (await gate.store.users.get("usr_bob")).disabled  # type: ignore[union-attr]


async def test_a_stranger_and_a_disabled_admin_see_the_sign_in_page(gate: Administration) -> None:
    """I12: Neither gets anything but the sign-in page, and no form of theirs does anything."""
    await gate.person("bob")
    admin = await browser(gate, "ada", "admin")
    assert "bob" in (await admin.get("/admin/people")).text
    await People(*gate.parts).disable(OPERATOR, "ada")
    transport = httpx2.ASGITransport(gate.application, client=("192.0.2.7", 1))
    stranger = httpx2.AsyncClient(transport=transport, base_url=URL)
    for who in (admin, stranger):
        for path, method in DOORS:
            answer = await who.request(method, readable(path), data={"a": "b"} if method == "POST" else None)
            assert not re.search(r"\bbob\b", answer.text), path
            assert "Administration" not in answer.text, path
        left = await who.post("/admin/person/delete?name=bob", data={"a": "b"}, follow_redirects=False)
        assert left.status_code == 303
    assert await gate.store.users.get("usr_bob") is not None


async def test_an_admin_disables_enables_signs_out_and_it_is_recorded(
    gate: Administration, tmp_path: Path
) -> None:
    await gate.person("bob")
    admin = await browser(gate, "ada", "admin")
    bob = await browser(gate, "bob", "member", known=True)
    assert (await bob.get("/account")).text.count("Sign out everywhere") == 1
    assert "Disabled." in (await confirm(admin, "disable", "bob")).text
    assert (await gate.store.users.get("usr_bob")).disabled  # type: ignore[union-attr]
    assert "Sign out everywhere" not in (await bob.get("/account")).text
    assert "Enabled." in (await confirm(admin, "enable", "bob")).text
    assert "every browser" in (await confirm(admin, "sign-out", "bob")).text
    assert (await confirm(admin, "disconnect", "bob")).status_code == 200
    found = search(tmp_path / "data" / "audit", Filter(event="admin"))
    seen = [tuple(each.fields[name] for name in ("action", "principal", "door")) for each in found]
    assert ("user.disable", "ada", "page") in seen
    assert ("user.enable", "ada", "page") in seen


async def test_nobody_reaches_above_their_own_role_or_at_themselves(gate: Administration) -> None:
    """I24: An admin does nothing to an owner and makes no admin; nobody disables, deletes or promotes
    themselves, and the last owner stays."""
    admin, owner = await browser(gate, "ada", "admin"), await browser(gate, "olga", "owner")
    await gate.person("bob")
    for act in ("disable", "sign-out", "invite", "delete", "role", "disconnect"):
        assert (await confirm(admin, act, "olga", role="member")).status_code == 403, act
    assert (await confirm(admin, "role", "bob", role="admin")).status_code == 403
    assert (await confirm(admin, "role", "ada", role="owner")).status_code == 403
    for act in ("disable", "delete"):
        assert (await confirm(owner, act, "olga")).status_code == 403, act
    assert (await confirm(owner, "role", "olga", role="member")).status_code == 403
    assert "The role is changed" in (await confirm(owner, "role", "bob", role="admin")).text
    roles = {user.username: user.role for user in await gate.store.users.list()}
    assert roles == {"ada": "admin", "olga": "owner", "bob": "admin"}


async def test_a_form_is_good_in_one_browser_for_one_change_to_one_person(gate: Administration) -> None:
    """B3: The form of another browser, of another change, of another person, or of who had the name before,
    does nothing."""
    owner, other = await browser(gate, "olga", "owner"), await browser(gate, "otto", "owner")
    for name in ("bob", "carol"):
        await gate.person(name)
    page = await owner.get("/admin/person/disable?name=bob")
    _, hidden = asked(page, "disable")
    tries = (
        (other, "/admin/person/disable?name=bob"),
        (owner, "/admin/person/delete?name=bob"),
        (owner, "/admin/person/disable?name=carol"),
    )
    for who, target in tries:
        assert (await who.post(target, data=hidden)).status_code == 403, target
    assert (await owner.post("/admin/person/disable?name=bob", data={"a": "b"})).status_code == 403
    await People(*gate.parts).disable(OPERATOR, "bob")
    await People(*gate.parts).enable(OPERATOR, "bob")
    assert (await owner.post("/admin/person/disable?name=bob", data=hidden)).status_code == 200
    assert [user.username for user in await gate.store.users.list() if user.disabled] == ["bob"]


async def test_what_cannot_be_taken_back_wants_a_recent_sign_in(gate: Administration) -> None:
    """B3: A browser that was left open neither deletes, nor invites, nor gives roles, nor adds people."""
    await gate.person("bob")
    fresh = await browser(gate, "olga", "owner")
    stale = await browser(gate, "olga", "owner", signed_in=3000, known=True)
    for act in (act for act in ACTS if act.recent and act.name != "enable"):
        page = await stale.get(f"/admin/person/{act.name}?name=bob")
        assert "password" in page.text
        assert "Go back" not in page.text
    assert "password" in (await stale.get("/admin/people/new")).text
    assert "Deleted." in (await confirm(fresh, "delete", "bob", audit="keep")).text
    assert await gate.store.users.get("usr_bob") is None


async def test_a_person_is_added_and_the_invitation_is_shown_once(gate: Administration) -> None:
    admin = await browser(gate, "ada", "admin")
    page = await admin.get("/admin/people/new")
    target, hidden = form_of(page.text, "/admin/people/new")
    refused = await admin.post(target, data={**hidden, "username": "No Such Name"})
    assert refused.status_code == 400
    assert "No Such Name" in refused.text
    added = await admin.post(target, data={**hidden, "username": "dora", "display_name": MARK})
    assert added.status_code == 200
    invited = await confirm(admin, "invite", "dora")
    assert f"{URL}/invite/gk_inv_" in invited.text
    assert invited.headers["cache-control"] == "no-store"
    assert "gk_inv_" not in (await admin.get("/admin/person?name=dora")).text
    for path in ("/admin/people", "/admin/person?name=dora", f"/admin/people?q={MARK}"):
        text = (await admin.get(path)).text
        assert MARK not in text
        assert "&lt;script&gt;" in text


async def test_pages_of_people_are_short_however_many_there_are(gate: Administration) -> None:
    admin = await browser(gate, "ada", "admin")
    for number in range(120):
        await gate.person(f"p{number:03}")
    page, names = await admin.get("/admin/people?q=p&role=member"), []
    for _ in range(5):
        found = [part.split('"')[0] for part in page.text.split("/admin/person?name=")[1:]]
        assert len(found) <= 50
        names += found
        more = page.text.partition('href="/admin/people?q=p')[2].split('"')[0]
        if not more:
            break
        page = await admin.get("/admin/people?q=p" + unescape(more))
    assert names == [f"p{number:03}" for number in range(120)]
    assert "Nobody fits" in (await admin.get("/admin/people?q=zebra")).text


@pytest.mark.parametrize(
    "path",
    [
        "/admin/person?name=nobody",
        "/admin/person",
        "/admin/person/fly?name=ada",
        "/admin/group?name=none",
        "/admin/people?after=%00&role=king&state=odd",
    ],
)
async def test_an_address_that_leads_nowhere_is_a_page_for_people(gate: Administration, path: str) -> None:
    admin = await browser(gate, "ada", "admin")
    answer = await admin.get(path)
    assert answer.status_code in {200, 404}
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_connections_of_the_file_and_of_the_store_are_shown(gate: Administration) -> None:
    """I12: To auditors too; what was added at run time and is turned off is warned of."""
    row = StoredConnection(
        name="acme", kind="okta", document_sealed="x", enabled=False, created_at=1, updated_at=1
    )
    await gate.store.connections.add(row)
    auditor = await browser(gate, "aud", "auditor")
    page = (await auditor.get("/admin/connections")).text
    assert "local" in page
    assert "acme" in page
    assert "the store" in page
    assert "The connection acme is turned off" in (await auditor.get("/admin")).text
