"""What can be done to things at ``/admin/do``: by whom, and with which forms; and groups."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from gatekit.admin.groups import Groups
from gatekit.admin.people import People
from gatekit.admin.permissions import permitted
from gatekit.audit.query import Filter, search
from gatekit.model.people import Role
from gatekit.web.console.pages import DEEDS as EVERY_DEED
from tests.support.administration import OPERATOR, URL, Administration, administration
from tests.support.consoles import ABOUT, browser, do, furnished, question, seen

DEEDS = tuple(deed for deed in EVERY_DEED if not deed.members)
"""What roles open. What approvers do, whatever their role, is in ``test_approvals``."""
WITH_BOSSES = {
    "enabled": True,
    "provider": "local",
    "allowed_users": ["*"],
    "roles": {"admin": ["group:bosses"]},
}
MARK = "<script>alert(1)</script>"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with furnished(tmp_path) as found:
        yield found


def test_the_walk_names_every_deed() -> None:
    assert set(ABOUT) == {deed.name for deed in DEEDS}
    assert len(DEEDS) == len(ABOUT)


@pytest.mark.parametrize("role", ["member", "auditor", "admin", "owner"])
async def test_whoever_has_the_permission_is_asked_and_nobody_else(gate: Administration, role: Role) -> None:
    """I12: Every question by every role: 200 for who may, 403 for who may not; and forms that carry no token
    of ours do nothing for anybody."""
    who = await browser(gate, "mel", role)
    before = await seen(gate)
    for deed in DEEDS:
        may = permitted(role, deed.permission)
        page = await who.get(f"/admin/do/{deed.name}", params=ABOUT[deed.name])
        assert page.status_code == (200 if may else 403), deed.name
        assert ("Go back" in page.text and "<form" in page.text and 'name="seen"' in page.text) is may
        for sent in ({"a": "b"}, {"csrf": "x", "seen": "x"}):
            answer = await who.post(f"/admin/do/{deed.name}", params=ABOUT[deed.name], data=sent)
            assert answer.status_code == 403, deed.name
    assert await seen(gate) == before


async def test_strangers_and_the_disabled_see_the_sign_in_page(gate: Administration) -> None:
    """I12: Nothing of a question is shown to them, and no form of theirs does anything."""
    owner = await browser(gate, "olga", "owner")
    page = await owner.get("/admin/do/group-delete?name=dev")
    target, hidden = question(page, "group-delete")
    await gate.person("otto", "owner")
    await People(*gate.parts).disable(OPERATOR, "olga")
    transport = httpx2.ASGITransport(gate.application, client=("192.0.2.7", 1))
    stranger = httpx2.AsyncClient(transport=transport, base_url=URL)
    before = await seen(gate)
    for who in (owner, stranger):
        for deed in DEEDS:
            answer = await who.get(f"/admin/do/{deed.name}", params=ABOUT[deed.name])
            assert "Go back" not in answer.text
            assert not re.search(r"\bbob\b", answer.text)
        left = await who.post(target, data=hidden, follow_redirects=False)
        assert left.status_code == 303
    assert await seen(gate) == before


async def test_a_form_is_good_for_one_deed_to_one_thing_in_one_browser(gate: Administration) -> None:
    """B3: The form of another browser, of another deed, about another thing, or about what had the
    name before, does nothing."""
    owner, other = await browser(gate, "olga", "owner"), await browser(gate, "otto", "owner")
    _, hidden = question(await owner.get("/admin/do/group-delete?name=dev"), "group-delete")
    tries = (
        (other, "/admin/do/group-delete?name=dev"),
        (owner, "/admin/do/group-delete?name=ops"),
        (owner, "/admin/do/group-title?name=dev"),
    )
    for who, target in tries:
        assert (await who.post(target, data=hidden)).status_code == 403, target
    groups = Groups(*gate.parts)
    await groups.delete(OPERATOR, "dev")
    await groups.create(OPERATOR, "dev")
    assert (await owner.post("/admin/do/group-delete?name=dev", data=hidden)).status_code == 403
    assert "dev" in await gate.store.groups.names()


async def test_what_changed_meanwhile_is_shown_before_anything_is_done(gate: Administration) -> None:
    """B3: Somebody joined the group after the question was shown: it is asked again, and says so."""
    owner = await browser(gate, "olga", "owner")
    page = await owner.get("/admin/do/group-delete?name=dev")
    target, hidden = question(page, "group-delete")
    await Groups(*gate.parts).add(OPERATOR, "dev", ["carol"])
    again = await owner.post(target, data=hidden)
    assert again.status_code == 409
    assert "It changed after this page was shown" in again.text
    assert "bob, carol" in again.text
    _, fresh = question(again, "group-delete")
    assert "The group is deleted" in (await owner.post(target, data=fresh)).text
    assert "dev" not in await gate.store.groups.names()


async def test_a_rule_that_changed_meanwhile_is_shown_as_it_is_now(gate: Administration) -> None:
    """B3: What another owner wrote is not written over unseen; neither token stands for the other."""
    owner = await browser(gate, "olga", "owner")
    target, hidden = question(await owner.get("/admin/do/group-rule?name=dev"), "group-rule")
    await Groups(*gate.parts).rule(OPERATOR, "dev", ["okta:zoe"])
    again = await owner.post(target, data={**hidden, "selectors": "okta:ada"})
    assert again.status_code == 409
    assert "okta:zoe</textarea>" in again.text
    assert "okta:ada</textarea>" not in again.text
    _, fresh = question(again, "group-rule")
    swapped = {"csrf": fresh["seen"], "seen": fresh["csrf"], "selectors": "okta:ada"}
    assert (await owner.post(target, data=swapped)).status_code == 403
    assert [rule.selectors for rule in await gate.store.groups.rules()] == [("okta:zoe",)]


async def test_what_gives_power_or_cannot_be_taken_back_wants_a_recent_sign_in(gate: Administration) -> None:
    """B3: A browser that was left open is shown the sign-in page instead of the question, and a form that it
    still has does nothing."""
    stale = await browser(gate, "olga", "owner", signed_in=3000)
    before = await seen(gate)
    wanted = [deed for deed in DEEDS if deed.recent]
    assert {"group-add", "group-nest", "group-rule", "group-delete"} <= {deed.name for deed in wanted}
    for deed in wanted:
        page = await stale.get(f"/admin/do/{deed.name}", params=ABOUT[deed.name])
        assert "password" in page.text
        assert "Go back" not in page.text
    assert await seen(gate) == before


async def test_nobody_fills_a_group_that_the_file_gives_more_than_they_may_give(tmp_path: Path) -> None:
    """I24: A group that makes admins, and one that is put into it, are an owner's; an admin is refused."""
    async with administration(tmp_path, auth=WITH_BOSSES) as gate:
        await Groups(*gate.parts).create(OPERATOR, "bosses")
        admin, owner = await browser(gate, "ada", "admin"), await browser(gate, "olga", "owner")
        about = {"name": "bosses"}
        assert "role admin" in (await admin.get("/admin/group?name=bosses")).text
        assert (await do(admin, "group-add", about, names="ada")).status == 403
        assert (await do(admin, "group-rule", about, selectors="local:ada")).status == 403
        assert (await do(admin, "group-delete", about)).status == 403
        assert (await do(owner, "group-add", about, names="ada")).status == 200
        assert [row.user_id for row in await gate.store.groups.members("bosses")] == ["usr_ada"]


async def test_a_group_is_made_filled_and_deleted_and_all_of_it_is_recorded(
    gate: Administration, tmp_path: Path
) -> None:
    admin = await browser(gate, "ada", "admin")
    assert "The group is there" in (await do(admin, "group-create", {}, name="qa", title="Quality")).text
    about = {"name": "qa"}
    assert (
        "They are in the group"
        in (await do(admin, "group-add", about, who=["bob", "carol"], names="carol")).text
    )
    page = (await admin.get("/admin/group?name=qa")).text
    assert "bob" in page
    assert "carol" in page
    assert (await do(admin, "group-nest", about, child="ops")).status == 200
    assert (await do(admin, "group-rule", about, selectors="okta:ada\n\ngroup:okta/Sales")).status == 200
    assert (await do(admin, "group-title", about, title="QA")).status == 200
    assert (await do(admin, "group-remove", {**about, "who": "bob"})).status == 200
    assert (await do(admin, "group-unnest", {**about, "child": "ops"})).status == 200
    asked = (await do(admin, "group-delete", about)).asked.text
    assert "carol" in asked
    assert "2 entries" in asked
    assert "qa" not in await gate.store.groups.names()
    found = search(tmp_path / "data" / "audit", Filter(event="admin"))
    ours = [each.fields for each in reversed(list(found)) if each.fields["target"] == "qa"]
    assert {each["door"] for each in ours} == {"page"}
    assert [each["action"].partition(".")[2] for each in ours] == [
        *("create", "add", "add", "nest", "rule", "title", "remove", "unnest", "delete")
    ]


async def test_what_is_refused_stands_in_the_form_with_what_was_typed(gate: Administration) -> None:
    admin = await browser(gate, "ada", "admin")
    tries: tuple[tuple[str, dict[str, str], dict[str, str], str, int], ...] = (
        ("group-create", {}, {"name": "no name"}, "cannot be a group", 400),
        ("group-create", {}, {"name": "dev"}, "There is a group dev already.", 409),
        ("group-add", {"name": "dev"}, {"names": "zoe"}, "There is no person called zoe.", 404),
        ("group-add", {"name": "dev"}, {}, "Choose somebody", 400),
        ("group-nest", {"name": "web"}, {"child": "dev"}, "dev holds web already", 409),
        ("group-nest", {"name": "web"}, {"child": "zoo"}, "There is no group zoo.", 404),
        ("group-rule", {"name": "dev"}, {"selectors": f"*\n{MARK}"}, "names nobody in particular", 400),
    )
    for deed, about, typed, words, status in tries:
        answer = await do(admin, deed, about, **typed)
        assert answer.status == status, deed
        assert words.lower() in answer.text.lower(), (deed, answer.text)
        assert "gatekit groups" not in answer.text
        assert "gatekit users" not in answer.text
        assert all(value in answer.text for value in typed.values())
        assert answer.done is not None
        assert MARK not in answer.done.text


async def test_lists_of_groups_and_members_are_pages_of_the_store(gate: Administration) -> None:
    admin = await browser(gate, "ada", "admin")
    groups = Groups(*gate.parts)
    for number in range(60):
        await groups.create(OPERATOR, f"g{number:02}", f"Title {number}")
        await gate.person(f"p{number:02}")
    await groups.add(OPERATOR, "dev", [f"p{number:02}" for number in range(60)])
    first = (await admin.get("/admin/groups")).text
    second = (await admin.get("/admin/groups", params={"source": "local", "after": "g48"})).text
    assert first.count("/admin/group?name=") == 50
    assert "after=g48" in first
    assert second.count("/admin/group?name=") == 13
    assert (await admin.get("/admin/groups?q=title+7")).text.count("/admin/group?name=") == 1
    members = (await admin.get("/admin/group?name=dev")).text
    assert members.count("/admin/person?name=") == 50
    assert "after=p48" in members
    rest = (await admin.get("/admin/group?name=dev&after=p48")).text
    assert rest.count("/admin/person?name=") == 11
    found = (await admin.get("/admin/group?name=dev&q=p33")).text
    assert found.count("/admin/person?name=") == 1
    offered = (await admin.get("/admin/do/group-add?name=dev&q=carol")).text
    assert 'type="checkbox" name="who:carol"' in offered
    assert "checkbox" not in (await admin.get("/admin/do/group-add?name=dev&q=bob")).text


@pytest.mark.parametrize(
    "path",
    [
        "/admin/do/fly",
        "/admin/do/group-delete",
        "/admin/do/group-delete?name=none",
        "/admin/do/group-remove?name=dev&who=nobody",
        "/admin/do/group-unnest?name=dev&child=ops",
        "/admin/group?name=dev&source=okta",
        "/admin/groups?after=%00&source=%ff",
        "/admin/do/api-key-revoke?id=none",
        "/admin/do/grant-revoke?id=none",
        "/admin/do/browser-end?name=bob&id=none",
        "/admin/do/identity-unlink?name=bob&connection=okta",
        "/admin/do/identity-unlink?name=carol&connection=local",
        "/admin/do/admin-key-revoke?id=none",
        "/admin/do/connection-preview?name=none",
        "/admin/connection?name=none",
        "/admin/do/person-merge?name=none",
        "/admin/do/person-factors?name=bob",
        "/admin/connection",
    ],
)
async def test_addresses_that_lead_nowhere_are_pages_for_people(gate: Administration, path: str) -> None:
    admin = await browser(gate, "ada", "admin")
    answer = await admin.get(path)
    assert answer.status_code in {200, 400, 404, 409}
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "`gatekit" not in answer.text
