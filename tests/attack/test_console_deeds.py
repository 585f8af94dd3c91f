"""What can be done to things at ``/admin/do``: by whom, and with which forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.admin.browser_sessions import name_of
from gatekit.admin.groups import Groups
from gatekit.admin.people import People
from gatekit.admin.permissions import permitted
from gatekit.audit.query import Filter, search
from gatekit.model.admin_keys import AdminKey
from gatekit.model.passkeys import Passkey
from gatekit.model.people import Role, User
from gatekit.web.console.pages import DEEDS
from tests.contract.samples import NOW, api_key, client, grant, identity, session
from tests.support.administration import OPERATOR, URL, Administration, administration
from tests.support.consoles import browser, do, question

ABOUT: dict[str, dict[str, str]] = {
    "group-create": {},
    "group-title": {"name": "dev"},
    "group-add": {"name": "dev"},
    "group-remove": {"name": "dev", "who": "bob"},
    "group-nest": {"name": "dev"},
    "group-unnest": {"name": "dev", "child": "web"},
    "group-rule": {"name": "dev"},
    "group-delete": {"name": "dev"},
    "api-key-revoke": {"id": "key_1"},
    "grant-revoke": {"id": "grt_1"},
    "browser-end": {"name": "bob", "id": name_of(session("bs-1"))},
    "identity-unlink": {"name": "bob", "connection": "github"},
    "admin-key-create": {},
    "admin-key-revoke": {"id": "adm_1"},
    "connection-preview": {"name": "acme"},
    "connection-add": {},
    "connection-disable": {"name": "acme"},
    "connection-enable": {"name": "acme"},
    "connection-replace": {"name": "acme"},
    "connection-remove": {"name": "acme"},
    "person-change": {"name": "carol"},
    "person-factors": {"name": "carol"},
    "person-merge": {"name": "carol"},
}
"""What each deed is about in the walk; ``gate`` holds all of it."""

WITH_BOSSES = {
    "enabled": True,
    "provider": "local",
    "allowed_users": ["*"],
    "roles": {"admin": ["group:bosses"]},
}
AT_ACME = {"connection": "acme", "issuer": "https://acme.example", "subject": "42", "login": "42"}
ABOUT_ACME = {"name": "acme"}
FAR = 4_000_000_000
ACME = "type: oidc\nissuer: https://acme.example\nclient_id: gate\nclient_secret: hush-hush\n"
MARK = "<script>alert(1)</script>"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path) as found:
        groups = Groups(*found.parts)
        for name in ("bob", "carol"):
            await found.person(name)
        for name in ("dev", "web", "ops"):
            await groups.create(OPERATOR, name)
        await groups.add(OPERATOR, "dev", ["bob"])
        await groups.nest(OPERATOR, "dev", "web")
        await _belongings(found)
        owner = await browser(found, "fay", "owner")
        assert (await do(owner, "connection-add", {}, name="acme", entry=ACME)).status == 200
        await found.application.signins.load()  # as the process does by itself, a moment later
        yield found


async def _belongings(gate: Administration) -> None:
    """One of everything for bob, and an admin key of an owner."""
    store = gate.store
    await store.api_keys.add(api_key(user_id="usr_bob", expires_at=FAR))
    await store.clients.add(client())
    await store.grants.add(grant(user_id="usr_bob", expires_at=FAR))
    await store.browser_sessions.add(session("bs-1", user_id="usr_bob", expires_at=FAR))
    await store.identities.add(identity(user_id="usr_bob"))
    await store.passkeys.add(
        Passkey(id="pk1", user_id="usr_carol", name="phone", public_key="x", created_at=NOW)
    )
    await gate.person("kit", "owner")
    await store.admin_keys.add(
        AdminKey(
            id="adm_1",
            token_hash="hash of adm_1",
            user_id="usr_kit",
            name="nightly",
            scopes=("people:read",),
            hint="wxyz",
            created_at=NOW,
            expires_at=FAR,
        )
    )


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
            assert "bob" not in answer.text
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


async def test_what_hangs_on_a_person_ends_one_by_one(gate: Administration, tmp_path: Path) -> None:
    admin = await browser(gate, "ada", "admin")
    page = (await admin.get("/admin/person?name=bob")).text
    for deed in ("api-key-revoke", "grant-revoke", "browser-end", "identity-unlink"):
        assert f"/admin/do/{deed}" in page
        done = await do(admin, deed, ABOUT[deed])
        assert done.status == 200, done.text
        assert "note plain" in done.text
        again = await do(admin, deed, ABOUT[deed])
        assert again.done is None
        assert again.status in {404, 409}
    after = (await admin.get("/admin/person?name=bob")).text
    assert not re.search("/admin/do/(api|grant|browser|identity)", after)
    key, link = await gate.store.api_keys.get("key_1"), await gate.store.grants.get("grt_1")
    assert key is not None
    assert key.revoked_at
    assert link is not None
    assert link.revoked_at
    assert [row.connection for row in await gate.store.identities.of_user("usr_bob")] == ["local"]
    found = [each.fields for each in search(tmp_path / "data" / "audit", Filter())]
    seen_here = {each.get("action") for each in found if each.get("principal") == "ada"}
    assert {"revoked", "grant.revoke", "session.end", "user.unlink"} <= seen_here


async def test_what_hangs_on_an_owner_is_out_of_reach_of_an_admin(gate: Administration) -> None:
    """I24: No link leads there, and who knows the address is refused."""
    admin = await browser(gate, "ada", "admin")
    await gate.store.api_keys.add(api_key("key_2", user_id="usr_kit", expires_at=FAR))
    await gate.store.browser_sessions.add(session("bs-2", user_id="usr_kit", expires_at=FAR))
    before = await seen(gate)
    assert "/admin/do/" not in (await admin.get("/admin/person?name=kit")).text
    other = {"name": "kit", "id": name_of(session("bs-2"))}
    for deed, about in (
        ("api-key-revoke", {"id": "key_2"}),
        ("browser-end", other),
        ("admin-key-revoke", {"id": "adm_1"}),
    ):
        assert (await do(admin, deed, about)).status == 403, deed
    assert await seen(gate) == before


async def test_an_admin_key_is_made_for_oneself_and_shown_once(gate: Administration) -> None:
    """I24: It is good for no more than its maker may do, and what it opens ends with it."""
    admin = await browser(gate, "ada", "admin")
    page = (await admin.get("/admin/do/admin-key-create")).text
    assert "people:write" in page
    assert "connections:write" not in page
    typed = {"key": "export", "days": "30", "addresses": "192.0.2.0/24"}
    assert (await do(admin, "admin-key-create", {}, **typed)).status == 400
    greedy = await do(admin, "admin-key-create", {}, **typed, scopes=["connections:write"])
    assert greedy.status == 403
    for_owner = await do(admin, "admin-key-create", {"name": "kit"}, **typed, scopes=["people:read"])
    assert for_owner.status == 403
    made = await do(admin, "admin-key-create", {}, **typed, scopes=["people:read", "groups:read"])
    assert made.done is not None
    assert made.status == 200, made.text
    assert made.done.headers["cache-control"] == "no-store"
    token = made.text.partition("gk_adm_")[2].split("<")[0]
    assert token not in (await admin.get("/admin/keys")).text
    program = gate.http(f"gk_adm_{token}")
    assert (await program.get("/people")).status_code == 200
    row = next(row for row in await gate.store.admin_keys.list(None) if row.name == "export")
    assert (row.user_id, row.addresses) == ("usr_ada", ("192.0.2.0/24",))
    assert (await do(admin, "admin-key-revoke", {"id": row.id})).status == 200
    assert (await program.get("/people")).status_code == 401


async def test_an_auditor_ends_a_key_of_their_own_and_no_other(gate: Administration) -> None:
    """I24: That is all they may do here."""
    auditor = await browser(gate, "aud", "auditor")
    issued = await gate.issue("aud", ["people:read"])
    page = (await auditor.get("/admin/keys")).text
    assert page.count("/admin/do/") == 1
    assert (await do(auditor, "admin-key-revoke", {"id": issued.key.id})).status == 200
    assert (await do(auditor, "admin-key-revoke", {"id": "adm_1"})).status == 403
    assert (await do(auditor, "admin-key-create", {})).status == 403


async def test_a_connection_is_added_turned_off_entered_anew_and_removed(
    gate: Administration, tmp_path: Path
) -> None:
    """B9, I24: By an owner; what was entered is sealed and shown to nobody, the auditor included."""
    owner, auditor = await browser(gate, "olga", "owner"), await browser(gate, "aud", "auditor")
    about = {"name": "acme"}
    for who in (owner, auditor):
        shown = (await who.get("/admin/connection?name=acme")).text
        assert "https://acme.example" in shown
        assert f"{URL}/callback/acme" in shown
        assert "hush-hush" not in shown
    assert "/admin/do/connection-disable" not in (await auditor.get("/admin/connection?name=acme")).text
    await gate.store.users.update(replace(await person(gate, "bob"), connection="acme"))
    asked = (await owner.get("/admin/do/connection-disable?name=acme")).text
    assert "1 person is at home there" in asked
    assert "locked out" not in asked
    assert "Disabled." in (await do(owner, "connection-disable", about)).text
    row = await gate.store.connections.get("acme")
    assert row is not None
    assert not row.enabled
    assert "hush-hush" not in row.document_sealed
    assert "Enabled." in (await do(owner, "connection-enable", about)).text
    other = ACME.replace("gate", "other")
    assert "The new entry counts" in (await do(owner, "connection-replace", about, entry=other)).text
    assert (await do(owner, "connection-remove", about)).status == 200
    assert await gate.store.connections.list() == []
    found = search(tmp_path / "data" / "audit", Filter(event="admin"))
    ours = [each.fields for each in reversed(list(found)) if each.fields["target"] == "acme"]
    assert [each["action"].partition(".")[2] for each in ours] == [
        *("add", "disable", "enable", "replace", "remove")
    ]
    assert "hush-hush" not in str(ours)


async def test_an_entry_names_nothing_on_this_machine_and_all_its_faults_are_told(
    gate: Administration, tmp_path: Path
) -> None:
    """No file and no variable of the machine comes into a connection over a page; what cannot be used is
    told with all that is wrong with it, and nothing is kept."""
    (tmp_path / "secret").write_text("from-the-disk")
    owner = await browser(gate, "olga", "owner")
    before = await seen(gate)
    file = "${file:" + str(tmp_path / "secret") + "}"
    tries = (
        ("okta", "type: oidc\nissuer: http://x.example\nclient_idd: a\n", ("must be https", "client_idd")),
        ("okta", ACME.replace("hush-hush", file), ("command line",)),
        ("okta", "type: ldap\nurls: [ldaps://x.example]\nca_file: /etc/passwd\n", ("command line",)),
        ("okta", "a: [", ("not valid YAML",)),
        ("okta", "a: 1\na: 2", ("a",)),
        ("okta", "- a", ("expected keys",)),
        ("group", ACME, ("cannot be the name",)),
        ("local", "{}", ("configuration file",)),
        ("acme", ACME, ("already",)),
    )
    for name, entry, words in tries:
        answer = await do(owner, "connection-add", {}, name=name, entry=entry)
        assert answer.status in {400, 409}, entry
        assert all(word in answer.text for word in words), (entry, answer.text)
        assert "from-the-disk" not in answer.text
    assert await seen(gate) == before


async def test_an_admin_tries_claims_and_changes_nothing(gate: Administration) -> None:
    """I12: What a sign-in would become is told to auditors too; a connection is changed by an owner alone."""
    auditor = await browser(gate, "aud", "auditor")
    before = await seen(gate)
    good = '{"sub": "42", "name": "<b>Ada</b>", "email": "ada@acme.example", "groups": ["sre"]}'
    text = (await do(auditor, "connection-preview", {"name": "acme"}, claims=good)).last.text
    assert "They would come in" in text
    assert "acme:42" in text
    assert "&lt;b&gt;Ada" in text
    evil = '{"iss": "https://evil.example", "sub": "42"}'
    assert "They would be refused" in (await do(auditor, "connection-preview", ABOUT_ACME, claims=evil)).text
    for bad in ("{", "[]", '{"sub": 1, "sub": 2}', "x" * 1000, '{"sub": {"a": 1}, "iss": 7}'):
        answer = await do(auditor, "connection-preview", ABOUT_ACME, claims=bad)
        assert answer.status in {200, 400}, bad
        assert "They would come in" not in answer.text
    assert await seen(gate) == before


async def test_a_connection_of_the_file_is_changed_there(gate: Administration) -> None:
    owner = await browser(gate, "olga", "owner")
    page = (await owner.get("/admin/connection?name=local")).text
    assert "the configuration file" in page
    assert "/admin/do/" not in page
    for deed in ("connection-disable", "connection-replace", "connection-remove"):
        answer = await do(owner, deed, {"name": "local"})
        assert answer.done is None
        assert answer.status == 409
        assert "change it there" in answer.text


async def test_who_would_be_locked_out_is_told_before(gate: Administration) -> None:
    """B3: Oneself, every owner, everybody."""
    owner = await browser(gate, "olga", "owner")
    for name in ("olga", "kit", "fay"):
        await gate.store.users.update(replace(await person(gate, name), connection="acme"))
    asked = (await owner.get("/admin/do/connection-disable?name=acme")).text
    assert "3 people are at home there" in asked
    assert "You are one of them" in asked
    assert "No owner comes in another way" in asked


async def test_a_person_gets_another_name_loses_factors_and_becomes_part_of_another(
    gate: Administration, tmp_path: Path
) -> None:
    admin, about = await browser(gate, "ada", "admin"), {"name": "carol"}
    changed = await do(admin, "person-change", about, email="carol@example.com", display_name=MARK)
    assert changed.status == 200
    assert changed.done is not None
    assert MARK not in changed.done.text
    assert (await person(gate, "carol")).email == "carol@example.com"
    refused = await do(admin, "person-change", about, email="no address")
    assert (refused.status, "is not an e-mail address" in refused.text) == (400, True)
    assert "phone" in (await admin.get("/admin/person?name=carol")).text
    assert "are gone" in (await do(admin, "person-factors", about)).text
    assert await gate.store.passkeys.of_user("usr_carol") == []
    assert (await do(admin, "person-factors", about)).status == 409
    await gate.store.users.add(replace(await person(gate, "carol"), id="usr_c2", username="c2", **AT_ACME))
    assert (await do(admin, "person-merge", {"name": "c2"})).status == 400
    assert (await do(admin, "person-merge", {"name": "c2"}, into="carol")).status == 200
    assert await gate.store.users.by_username("c2") is None
    rows = await gate.store.identities.of_user("usr_carol")
    assert {row.connection for row in rows} == {"local", "acme"}
    found = [each.fields for each in search(tmp_path / "data" / "audit", Filter(event="admin"))]
    mine = {each["action"] for each in found if each["principal"] == "ada"}
    assert {"user.change", "factors.reset", "user.merge"} <= mine


async def test_nothing_of_a_person_above_or_of_oneself_is_changed(gate: Administration) -> None:
    """I24: An admin neither renames an owner, nor takes their factors, nor merges anybody with one."""
    admin = await browser(gate, "ada", "admin")
    await gate.store.passkeys.add(
        Passkey(id="pk2", user_id="usr_kit", name="key", public_key="x", created_at=NOW)
    )
    before = await seen(gate)
    for page in ("kit", "ada"):
        assert "/admin/do/person-" not in (await admin.get(f"/admin/person?name={page}")).text
    assert (await do(admin, "person-change", {"name": "kit"}, email="x@example.com")).status == 403
    assert (await do(admin, "person-factors", {"name": "kit"})).status == 403
    for one, into in (("kit", "carol"), ("carol", "kit"), ("carol", "ada"), ("ada", "carol")):
        assert (await do(admin, "person-merge", {"name": one}, into=into)).status == 403, one
    assert await seen(gate) == before
    assert len(await gate.store.passkeys.of_user("usr_kit")) == 1


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


async def person(gate: Administration, name: str) -> User:
    found = await gate.store.users.by_username(name)
    assert found is not None
    return found


async def seen(gate: Administration) -> tuple[object, ...]:
    """All that a deed could have changed."""
    store = gate.store
    return (
        await store.groups.list(),
        await store.groups.nesting(),
        await store.groups.rules(),
        await store.groups.sizes(),
        await store.api_keys.list(None),
        await store.admin_keys.list(None),
        await store.grants.list(None, None),
        await store.browser_sessions.list("usr_bob", NOW),
        await store.identities.of_user("usr_bob"),
        await store.connections.list(),
        [replace(user, last_seen_at=None) for user in await store.users.list()],
        await store.passkeys.of_user("usr_carol"),
    )
