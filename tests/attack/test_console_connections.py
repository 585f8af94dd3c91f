"""What owners do to connections at ``/admin/do``, and what they are told before."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.audit.query import Filter, search
from tests.support.administration import URL, Administration
from tests.support.consoles import ACME, browser, do, furnished, person, seen
from tests.support.saml import keys, metadata

ABOUT_ACME = {"name": "acme"}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with furnished(tmp_path) as found:
        yield found


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


async def test_what_ends_soon_at_a_provider_is_on_the_first_page(gate: Administration) -> None:
    until = (datetime.now(UTC) + timedelta(hours=2, minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    owner = await browser(gate, "olga", "owner")
    for name, extra in (("corp", f' validUntil="{until}"'), ("calm", "")):
        entry = json.dumps({"type": "saml", "metadata": metadata([keys("idp")], extra=extra).decode()})
        assert (await do(owner, "connection-add", {}, name=name, entry=entry)).status == 200
    assert {row.name for row in await gate.store.connections.list()} >= {"corp", "calm"}
    await gate.application.signins.load()  # as the job does that hears of changes
    shown = await first_page(owner)
    assert "The connection corp: it ends in 2 hours (validUntil)." in shown
    assert "The connection calm" not in shown
    await do(owner, "connection-disable", {"name": "corp"})
    await gate.application.signins.load()
    assert "it ends in 2 hours" not in await first_page(owner)


async def first_page(who: httpx2.AsyncClient) -> str:
    return (await who.get("/admin")).text


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
