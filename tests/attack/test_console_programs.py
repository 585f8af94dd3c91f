"""What is no person at ``/admin``: applications, service accounts, SCIM tokens; and the way there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gatekit.admin.service_accounts import ServiceAccounts
from gatekit.audit.query import Filter, search
from gatekit.model.oauth import Client
from gatekit.model.people import Role
from gatekit.platform.vault import token_hash
from tests.contract.samples import client, grant
from tests.support.administration import OPERATOR, URL, Administration, administration
from tests.support.consoles import ACME, browser, do

FAR = 4_000_000_000
MARK = "<script>alert(1)</script>"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path) as found:
        await found.person("bob")
        await found.store.clients.add(client(name=MARK, secret_hash="hash of a secret"))
        await found.store.grants.add(grant(user_id="usr_bob", expires_at=FAR))
        yield found


async def stored(gate: Administration, ident: str = "cli_1") -> Client | None:
    return await gate.store.clients.get(ident)


@pytest.mark.parametrize("role", ["member", "auditor", "admin", "owner"])
async def test_the_way_to_these_pages_is_shown_to_whoever_they_open_for(
    gate: Administration, role: Role
) -> None:
    """I12: Nobody else is told that they are there."""
    who = await browser(gate, "mel", role)
    for path in ("/", "/account"):
        assert ('href="/admin"' in (await who.get(path)).text) is (role != "member"), path


async def test_an_application_is_found_disabled_enabled_and_deleted(
    gate: Administration, tmp_path: Path
) -> None:
    """B6: What it calls itself is text; its secret and the hash of it are on no page."""
    admin = await browser(gate, "ada", "admin")
    found = await admin.get("/admin/clients?q=ALERT")
    assert "/admin/client?id=cli_1" in found.text
    assert "cli_1" not in (await admin.get("/admin/clients?q=zebra")).text
    shown = await admin.get("/admin/client?id=cli_1")
    assert "bob" in shown.text
    for page in (found, shown):
        assert MARK not in page.text
        assert "&lt;script&gt;" in page.text
        assert "hash of a secret" not in page.text
    about = {"id": "cli_1"}
    assert "Disabled." in (await do(admin, "client-disable", about)).text
    assert (one := await stored(gate)) is not None
    assert one.disabled
    assert "Enabled." in (await do(admin, "client-enable", about)).text
    assert "deleted" in (await do(admin, "client-delete", about)).text
    assert await stored(gate) is None
    records = [each.fields for each in search(tmp_path / "data" / "audit", Filter(event="client"))]
    assert {each["action"] for each in records} == {"disabled", "enabled", "deleted"}
    assert {each["principal"] for each in records} == {"ada"}


async def test_an_application_of_the_file_is_not_deleted(gate: Administration) -> None:
    await gate.store.clients.add(client("wiki", source="configured"))
    admin = await browser(gate, "ada", "admin")
    assert "client-delete" not in (await admin.get("/admin/client?id=wiki")).text
    assert (await do(admin, "client-delete", {"id": "wiki"})).status == 409
    assert await stored(gate, "wiki") is not None


async def test_applications_are_shown_in_pages(gate: Administration) -> None:
    for number in range(60):
        await gate.store.clients.add(client(f"c{number:02}", last_used_at=1000 + number))
    admin = await browser(gate, "ada", "admin")
    first, second = [(await admin.get(f"/admin/clients?after={after}")).text for after in ("", "50")]
    assert first.count("/admin/client?id=") == 50
    assert first.index("id=c59") < first.index("id=c58")
    assert second.count("/admin/client?id=") == 11


async def test_a_service_account_is_added_and_gets_a_key_that_is_shown_once(gate: Administration) -> None:
    """I24: For servers that there are; and nobody makes a key for a person here."""
    admin = await browser(gate, "ada", "admin")
    assert "is there" in (await do(admin, "service-create", {}, name="robot", title=MARK)).text
    page = (await admin.get("/admin/service-accounts")).text
    assert MARK not in page
    about, typed = {"name": "service:robot"}, {"key": "build", "days": "30"}
    made = await do(admin, "service-key", about, **typed, may="read", servers=["echo"])
    assert made.done is not None
    token = "gk_key_" + made.text.partition("gk_key_")[2].split("<")[0]
    assert made.done.headers["cache-control"] == "no-store"
    key = await gate.store.api_keys.by_hash(token_hash(token))
    assert key is not None
    assert (key.servers, key.read_only) == (("echo",), True)
    assert token not in (await admin.get("/admin/service-accounts")).text
    assert (await do(admin, "service-key", about, **typed, may="call", servers=["nowhere"])).status == 404
    assert (await do(admin, "service-key", about, key="x", days="9999", may="call")).status == 400
    assert (await do(admin, "service-key", {"name": "bob"}, **typed, may="call")).status == 404
    assert len(await gate.store.api_keys.list(None)) == 1


async def test_an_admin_makes_no_key_for_a_program_above_them(gate: Administration) -> None:
    """I24: It would be a way to be it."""
    await ServiceAccounts(*gate.parts).create(OPERATOR, "boss")
    found = await gate.store.users.by_username("service:boss")
    assert found is not None
    owner, auditor = await browser(gate, "olga", "owner"), await browser(gate, "aud", "auditor")
    assert (await owner.get("/admin/service-accounts")).text.count("/admin/do/service-key") == 1
    assert "/admin/do/" not in (await auditor.get("/admin/service-accounts")).text
    await gate.store.users.update(replace(found, role="owner"))
    admin = await browser(gate, "ada", "admin")
    answer = await do(admin, "service-key", {"name": "service:boss"}, key="x", days="30", may="call")
    assert answer.status == 403
    assert await gate.store.api_keys.list(None) == []


async def test_a_scim_token_is_made_for_a_connection_that_takes_a_directory(
    gate: Administration, tmp_path: Path
) -> None:
    """I24: By an owner, shown once, kept as a hash; it ends at once when it is revoked."""
    owner, admin = await browser(gate, "olga", "owner"), await browser(gate, "ada", "admin")
    assert (await do(owner, "connection-add", {}, name="acme", entry=ACME)).status == 200
    await gate.application.signins.load()  # as the process does by itself, a moment later
    assert (await do(owner, "scim-token-create", {"connection": "local"})).status == 409
    assert (await do(admin, "scim-token-create", {"connection": "acme"})).status == 403
    assert (await do(owner, "scim-token-create", {"connection": "acme"}, days="-1")).status == 400
    made = await do(owner, "scim-token-create", {"connection": "acme"}, days="90")
    token = "gk_scim_" + made.text.partition("gk_scim_")[2].split("<")[0]
    assert f"{URL}/scim/v2" in made.text
    headers = {"Authorization": f"Bearer {token}"}
    assert (await admin.get("/scim/v2/Users", headers=headers)).status_code == 200
    shown = (await admin.get("/admin/provisioning")).text
    assert token not in shown
    assert f"…{token[-4:]}" in shown
    assert "/admin/do/" not in shown
    row = next(iter(await gate.store.scim_tokens.list()))
    assert token not in str(row)
    assert "revoked" in (await do(owner, "scim-token-revoke", {"id": row.id})).text
    assert (await admin.get("/scim/v2/Users", headers=headers)).status_code == 401
    assert (await do(owner, "scim-token-revoke", {"id": row.id})).status == 409
    actions = {each.fields["action"] for each in search(tmp_path / "data" / "audit", Filter(event="admin"))}
    assert {"connection.scim_token", "connection.scim_token_revoke"} <= actions


@pytest.mark.parametrize(
    "path",
    ["/admin/client", "/admin/client?id=none", "/admin/clients?after=-1", "/admin/do/service-key?name=zoe"],
)
async def test_addresses_that_lead_nowhere_are_pages_for_people(gate: Administration, path: str) -> None:
    admin = await browser(gate, "ada", "admin")
    assert (await admin.get(path)).status_code in {200, 404}
