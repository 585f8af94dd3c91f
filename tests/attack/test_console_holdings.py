"""What administrators do to people and to what hangs on them, at ``/admin/do``; and admin keys."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gatekit.admin.browser_sessions import name_of
from gatekit.audit.query import Filter, search
from gatekit.model.passkeys import Passkey
from tests.contract.samples import NOW, api_key, session
from tests.support.administration import Administration
from tests.support.consoles import ABOUT, FAR, browser, do, furnished, person, seen

AT_ACME = {"connection": "acme", "issuer": "https://acme.example", "subject": "42", "login": "42"}
MARK = "<script>alert(1)</script>"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with furnished(tmp_path) as found:
        yield found


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
