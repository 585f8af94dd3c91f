"""Approvals over the pages and the interface: who may decide about whose calls."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.admin.rules import Rules
from gatekit.audit.query import Filter, search
from gatekit.model.approvals import ARGUMENTS, Approval
from gatekit.platform.clock import SystemClock
from gatekit.platform.vault import Vault, load_master_key
from gatekit.policy.written import Written
from tests.support.administration import OPERATOR, Administration, administration
from tests.support.consoles import browser, do

ABOUT = {"id": "apr_waiting"}


class Desk:
    """A gateway with a call of alice that waits; carol is its approver."""

    def __init__(self, gate: Administration) -> None:
        self.gate = gate

    async def ask(
        self, ident: str = "apr_waiting", arguments: str = '{"sum":"12\\u200b"}', **more: Any
    ) -> None:
        now = int(SystemClock().now())
        vault = Vault(load_master_key(self.gate.application.config.data_dir))
        known: dict[str, Any] = {
            "gateway": "gateway",
            "request_id": "r1",
            "principal_id": "usr_alice",
            "principal": "alice",
            "client_id": "cli_1",
            "client": "<b>Client</b>",
            "server": "echo",
            "method": "tools/call",
            "name": "pay",
            "rule": "stored.careful",
            "reason": "it costs",
            "digest": "d1",
            "arguments": vault.seal(arguments, ARGUMENTS),
            "asked_at": now,
            "expires_at": now + 300,
        }
        await self.gate.store.approvals.add(Approval(id=ident, **{**known, **more}))

    async def state(self, ident: str = "apr_waiting") -> str:
        found = await self.gate.store.approvals.get(ident)
        assert found is not None
        return found.state


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with administration(tmp_path) as gate:
        for name in ("alice", "carol"):
            await gate.person(name)
        written = Written(effect="ask", servers=("echo",), approvers=("local:carol", "local:alice"))
        await Rules(*gate.parts).add(OPERATOR, "careful", written)
        await gate.application._restock()  # what the feed does a quarter of a second later
        found = Desk(gate)
        await found.ask()
        yield found


async def test_an_approver_without_any_role_decides_in_the_browser(desk: Desk) -> None:
    carol = await browser(desk.gate, "carol", "member", known=True)
    page = await carol.get("/admin/approvals")
    assert page.status_code == 200
    assert "alice: pay at echo" in page.text
    assert "/admin/people" not in page.text
    one = await carol.get("/admin/approvals", params=ABOUT)
    assert "12\\u{200b}" in one.text  # what cannot be seen is shown
    assert "<b>Client" not in one.text
    done = await do(carol, "approval-allow", ABOUT, seconds="3600", **{"with": ["whatever"]})
    assert "It is allowed." in done.text
    kept = await desk.gate.store.approvals.get("apr_waiting")
    assert kept is not None
    assert (kept.state, kept.decided_by, kept.whatever) == ("allowed", "carol", 1)
    assert kept.until - (kept.decided_at or 0) == 3600
    ended = await do(carol, "approval-end", ABOUT)
    assert "It is taken back." in ended.text
    trail = desk.gate.application.config.data_dir / "audit"
    found = [each.fields for each in search(trail, Filter(event="approval"))]
    told = [(each["action"], each["principal"], each["by"]) for each in found]
    assert sorted(told) == [("allowed", "alice", "carol"), ("ended", "alice", "carol")]


async def test_nobody_decides_about_a_call_of_their_own(desk: Desk) -> None:
    """I12: Alice is among the approvers, and even an owner: not for what she asked herself."""
    user = await desk.gate.store.users.get("usr_alice")
    assert user is not None
    alice = await browser(desk.gate, "alice", "member", known=True)
    for deed in ("approval-allow", "approval-deny"):
        answer = await do(alice, deed, ABOUT, **({"seconds": "0"} if deed == "approval-allow" else {}))
        assert answer.status in (403, 404)
    assert "pay" not in (await alice.get("/admin/approvals")).text
    assert await desk.state() == "waiting"


@pytest.mark.parametrize("role", ["member", "auditor", "admin", "owner"])
async def test_a_role_makes_nobody_an_approver(desk: Desk, role: Any) -> None:
    """I12: Whoever runs the gateway sees what waits, and does not decide it; a member sees nothing of it."""
    mel = await browser(desk.gate, "mel", role)
    page = await mel.get("/admin/approvals")
    assert ("pay at echo" in page.text) is (role != "member")
    for deed in ("approval-allow", "approval-deny"):
        asked = await mel.get(f"/admin/do/{deed}", params=ABOUT)
        assert asked.status_code == (404 if role == "member" else 403)
        sent = await mel.post(f"/admin/do/{deed}", params=ABOUT, data={"csrf": "x", "seen": "x"})
        assert sent.status_code in (403, 404)
    assert await desk.state() == "waiting"


async def test_a_member_finds_nothing_else_of_the_console(desk: Desk) -> None:
    """I12: The way in for approvers leads to approvals only."""
    carol = await browser(desk.gate, "carol", "member", known=True)
    for path in (
        "/admin",
        "/admin/people",
        "/admin/pins",
        "/admin/do/group-create",
        "/admin/do/admin-key-revoke",
    ):
        assert (await carol.get(path)).status_code == 403, path


async def test_a_made_up_id_says_no_more_than_a_foreign_one(desk: Desk) -> None:
    """I12: Whoever is no approver cannot tell which requests there are."""
    mel = await browser(desk.gate, "mel", "member")
    pages = [await mel.get("/admin/approvals", params={"id": one}) for one in ("apr_waiting", "apr_x")]
    words = [re.sub(r"q_[0-9A-Z]+", "", page.text) for page in pages]
    assert {page.status_code for page in pages} == {404}
    assert words[0] == words[1]


async def test_the_link_approves_nothing_without_a_sign_in(desk: Desk) -> None:
    """I12: Who has the address of the page has nothing, and signing in leads back to it."""
    transport = httpx2.ASGITransport(desk.gate.application, client=("192.0.2.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8080") as stranger:
        page = await stranger.get("/admin/approvals", params=ABOUT)
        assert "pay" not in page.text
        sent = await stranger.post("/admin/do/approval-allow", params=ABOUT, data={"seconds": "0"})
        assert sent.status_code == 303
    assert await desk.state() == "waiting"


async def test_a_form_without_its_token_and_one_that_is_sent_twice(desk: Desk) -> None:
    """I12: A form that our page did not show does nothing, and neither does one whose request was decided."""
    carol = await browser(desk.gate, "carol", "member", known=True)
    forged = await carol.post("/admin/do/approval-allow", params=ABOUT, data={"seconds": "0", "csrf": "x"})
    assert forged.status_code == 403
    assert await desk.state() == "waiting"
    assert "It is refused." in (await do(carol, "approval-deny", ABOUT)).text
    again = await do(carol, "approval-allow", ABOUT, seconds="0")
    assert again.status == 409
    assert await desk.state() == "denied"


async def test_over_the_interface_the_owner_of_the_key_must_be_an_approver(desk: Desk) -> None:
    """I12: A key is no approver, and decides nothing about the calls of its owner."""
    user = await desk.gate.store.users.get("usr_carol")
    assert user is not None
    async with await desk.gate.program("root", "owner") as root:
        shown = (await root.get("/approvals", params={"waiting": "true"})).json()["items"]
        assert [one["id"] for one in shown] == ["apr_waiting"]
        assert (await root.get("/approvals/apr_waiting")).json()["arguments"].startswith('{"sum"')
        assert (await root.post("/approvals/apr_waiting/allow", json={})).status_code == 403
        assert (await root.post("/approvals/apr_waiting/deny")).status_code == 403
        assert (await root.get("/approvals/apr_none")).status_code == 404
    async with await desk.gate.program("dora", "admin") as dora:
        written = Written(effect="ask", servers=("echo",), approvers=("local:dora",))
        await Rules(*desk.gate.parts).change(OPERATOR, "careful", written)
        await desk.gate.application._restock()
        await desk.ask("apr_own", principal_id="usr_dora", principal="dora")
        assert (await dora.post("/approvals/apr_own/allow", json={})).status_code == 403
        allowed = await dora.post("/approvals/apr_waiting/allow", json={"seconds": 60})
        assert allowed.json()["state"] == "allowed"
        assert (await dora.post("/approvals/apr_waiting/deny")).status_code == 409
        assert (await dora.post("/approvals/apr_waiting/end")).json()["state"] == "ended"


async def test_a_disabled_approver_approves_nothing(desk: Desk) -> None:
    """R6: Whoever was disabled after the page was shown has no say."""
    carol = await browser(desk.gate, "carol", "member", known=True)
    page = await carol.get("/admin/do/approval-deny", params=ABOUT)
    assert page.status_code == 200
    user = await desk.gate.store.users.get("usr_carol")
    assert user is not None
    await desk.gate.store.users.update(replace(user, disabled=True))
    await do(carol, "approval-deny", ABOUT)
    assert await desk.state() == "waiting"
