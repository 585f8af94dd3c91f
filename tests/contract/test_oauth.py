from __future__ import annotations

import asyncio

import pytest

from gatekit.errors import Conflict, NotFound
from gatekit.store.ports import Store
from tests.contract.conftest import Open
from tests.contract.samples import (
    LATER,
    NOW,
    SERVER,
    api_key,
    client,
    code,
    consent,
    grant,
    refresh,
    session,
    signing_key,
    transaction,
    user,
)

DAY = 86_400


@pytest.fixture
async def alice(store: Store) -> None:
    await store.users.add(user())
    await store.clients.add(client())


@pytest.fixture
async def granted(store: Store, alice: None) -> None:
    await store.grants.approve(grant(), code())


async def entries(store: Store, after: int) -> list[str]:
    return (await store.changes.since(after))[1]


# -- clients -----------------------------------------------------------------------------------------------


async def test_a_client_comes_back_as_stored(store: Store) -> None:
    full = client(
        auth_method="client_secret_post",
        secret_hash="hash",
        grant_types=("authorization_code",),
        scope="mcp",
        application_type="native",
        client_uri="https://app.example.com",
        metadata='{"logo_uri":"x"}',
        source="configured",
        disabled=True,
        last_used_at=5,
    )
    await store.clients.add(full)
    assert await store.clients.get("cli_1") == full
    assert await store.clients.list() == [full]
    assert await store.clients.get("cli_x") is None
    with pytest.raises(Conflict):
        await store.clients.add(full)


async def test_disabling_a_client_is_told(store: Store) -> None:
    await store.clients.add(client())
    await store.clients.set_disabled("cli_1", True)
    assert await store.clients.get("cli_1") == client(disabled=True)
    await store.clients.set_disabled("cli_1", False)
    assert await store.clients.get("cli_1") == client()
    assert await entries(store, 0) == ["client:cli_1"] * 2
    with pytest.raises(NotFound):
        await store.clients.set_disabled("cli_x", True)


async def test_deleting_a_client_removes_its_grants(store: Store, granted: None) -> None:
    await store.clients.add(client("cli_2"))
    await store.grants.approve(grant("grt_2", client_id="cli_2"), code("code-2", grant_id="grt_2"))
    await store.transactions.add(transaction())
    await store.transactions.remember_consent(consent())
    start, _ = await store.changes.since(0)
    await store.clients.delete("cli_1")
    assert sorted(await entries(store, start)) == ["client:cli_1", "grant:grt_1"]
    assert await store.clients.get("cli_1") is None
    assert [row.id for row in await store.grants.list()] == ["grt_2"]
    assert await store.grants.code("code-1") is None
    assert await store.transactions.get("txn-1", NOW) is None
    with pytest.raises(NotFound):
        await store.clients.delete("cli_1")


async def test_only_dynamic_clients_that_never_finished_a_login_expire(store: Store) -> None:
    await store.clients.add(client("old"))
    await store.clients.add(client("used"))
    await store.clients.used("used", NOW)
    await store.clients.add(client("configured", source="configured"))
    await store.clients.add(client("new", created_at=NOW + 1))
    assert await store.clients.expire_unused(NOW + 1) == 1
    assert {row.id for row in await store.clients.list()} == {"used", "configured", "new"}


# -- grants ------------------------------------------------------------------------------------------------


async def test_a_grant_and_its_code_come_back_as_stored(store: Store, granted: None) -> None:
    assert await store.grants.get("grt_1") == grant()
    assert await store.grants.code("code-1") == code()
    assert await store.grants.get("grt_x") is None
    assert await store.grants.code("x") is None
    assert await store.grants.refresh_token("x") is None


async def test_a_grant_without_its_code_is_not_written(store: Store, granted: None) -> None:
    with pytest.raises(Conflict):
        await store.grants.approve(grant("grt_2"), code("code-1", grant_id="grt_2"))
    assert await store.grants.get("grt_2") is None


async def test_a_grant_for_somebody_who_was_deleted_meanwhile(store: Store, alice: None) -> None:
    with pytest.raises(NotFound):
        await store.grants.approve(grant(user_id="usr_x"), code())


async def test_grants_are_listed_by_person_and_client(store: Store, granted: None) -> None:
    await store.users.add(user("bob"))
    await store.grants.approve(grant("grt_2", user_id="usr_bob"), code("code-2", grant_id="grt_2"))
    await store.grants.approve(grant("grt_3", client_id="cli_9"), code("code-3", grant_id="grt_3"))

    async def ids(**which: str) -> list[str]:
        return [row.id for row in await store.grants.list(**which)]

    assert await ids() == ["grt_1", "grt_2", "grt_3"]
    assert await ids(user_id="usr_alice") == ["grt_1", "grt_3"]
    assert await ids(client_id="cli_1") == ["grt_1", "grt_2"]
    assert await ids(user_id="usr_bob", client_id="cli_9") == []


async def test_a_grant_is_revoked_once(store: Store, granted: None) -> None:
    start, _ = await store.changes.since(0)
    assert await store.grants.revoke("grt_1", LATER, "asked for") is True
    assert await store.grants.revoke("grt_1", LATER + 5, "again") is False
    assert await store.grants.revoke("grt_x", LATER, "nothing there") is False
    assert await store.grants.get("grt_1") == grant(revoked_at=LATER, revoke_reason="asked for")
    assert await entries(store, start) == ["grant:grt_1"]


async def test_a_code_is_redeemed_once(store: Store, granted: None) -> None:
    assert await store.grants.redeem("code-1", NOW + 1, refresh()) == code()
    assert await store.grants.code("code-1") == code(used_at=NOW + 1)
    assert await store.grants.refresh_token("rt-1") == refresh()
    assert await store.grants.redeem("code-1", NOW + 2, refresh("rt-2")) is None
    assert await store.grants.refresh_token("rt-2") is None


async def test_a_code_may_be_used_up_without_a_refresh_token(store: Store, granted: None) -> None:
    assert await store.grants.redeem("code-1", NOW, None) is not None
    assert await store.grants.redeem("code-1", NOW, None) is None


async def test_nothing_is_redeemed_or_rotated_below_a_revoked_grant(store: Store, granted: None) -> None:
    await store.grants.redeem("code-1", NOW, refresh())
    await store.grants.revoke("grt_1", NOW, "")
    assert await store.grants.rotate("rt-1", NOW, refresh("rt-2"), "sealed") is None
    assert await store.grants.refresh_token("rt-2") is None
    await store.grants.approve(grant("grt_2"), code("code-2", grant_id="grt_2"))
    await store.grants.revoke("grt_2", NOW, "")
    assert await store.grants.redeem("code-2", NOW, None) is None


async def test_rotation_keeps_the_sealed_successor(store: Store, granted: None) -> None:
    await store.grants.redeem("code-1", NOW, refresh())
    assert await store.grants.rotate("rt-1", NOW + 1, refresh("rt-2"), "sealed") == refresh()
    assert await store.grants.refresh_token("rt-1") == refresh(used_at=NOW + 1, successor_sealed="sealed")
    assert await store.grants.refresh_token("rt-2") == refresh("rt-2")
    assert await store.grants.rotate("rt-1", NOW + 2, refresh("rt-3"), "other") is None
    assert await store.grants.refresh_token("rt-3") is None


async def test_when_a_grant_last_gave_a_token(store: Store, granted: None) -> None:
    assert await store.grants.last_issued("usr_alice") == {}
    await store.grants.redeem("code-1", NOW, refresh(created_at=NOW))
    await store.grants.rotate("rt-1", NOW, refresh("rt-2", created_at=NOW + 7), "sealed")
    assert await store.grants.last_issued("usr_alice") == {"grt_1": NOW + 7}
    assert await store.grants.last_issued("usr_bob") == {}


async def test_denied_tokens_matter_until_they_expire(store: Store) -> None:
    await store.grants.deny_token("jti-1", LATER)
    await store.grants.deny_token("jti-1", LATER)
    await store.grants.deny_token("jti-2", NOW)
    assert list(await store.grants.denied_tokens(NOW)) == [("jti-1", LATER)]
    assert await entries(store, 0) == ["token:jti-1", "token:jti-1", "token:jti-2"]


async def test_purge_removes_what_is_over(store: Store, granted: None) -> None:
    await store.grants.redeem("code-1", NOW, refresh(expires_at=NOW + 5))
    await store.grants.rotate("rt-1", NOW, refresh("rt-2", expires_at=NOW + 100 * DAY), "sealed")
    await store.grants.approve(grant("grt_2"), code("unused", grant_id="grt_2"))
    await store.grants.deny_token("jti-1", LATER)
    await store.grants.purge(LATER)
    assert await store.grants.refresh_token("rt-1") is None
    assert await store.grants.refresh_token("rt-2") is not None
    assert await store.grants.code("unused") is None
    assert await store.grants.code("code-1") is not None, "a late replay is still recognised"
    assert list(await store.grants.denied_tokens(NOW)) == []
    assert len(await store.grants.list()) == 2, "an administrator still sees what ended lately"
    await store.grants.purge(NOW + 40 * DAY)
    assert await store.grants.code("code-1") is None
    assert await store.grants.list() == []


# -- API keys ----------------------------------------------------------------------------------------------


async def test_an_api_key_comes_back_as_stored(store: Store, alice: None) -> None:
    key = api_key(servers=("files", "time"))
    await store.api_keys.add(key)
    assert await store.api_keys.get("key_1") == key
    assert await store.api_keys.by_hash("hash of key_1") == key
    assert await store.api_keys.list() == await store.api_keys.list("usr_alice") == [key]
    assert await store.api_keys.list("usr_x") == []
    assert await store.api_keys.get("x") is None
    assert await store.api_keys.by_hash("x") is None
    with pytest.raises(NotFound):
        await store.api_keys.add(api_key("key_2", user_id="usr_x"))


async def test_an_api_key_is_revoked_once_and_told(store: Store, alice: None) -> None:
    await store.api_keys.add(api_key())
    await store.api_keys.used("key_1", NOW + 3)
    start, _ = await store.changes.since(0)
    assert await store.api_keys.revoke("key_1", LATER) is True
    assert await store.api_keys.revoke("key_1", LATER) is False
    assert await store.api_keys.get("key_1") == api_key(last_used_at=NOW + 3, revoked_at=LATER)
    assert await entries(store, start) == ["key:key_1"]


# -- browsers ----------------------------------------------------------------------------------------------


async def test_a_browser_session_ends(store: Store, alice: None) -> None:
    for name in ("one", "two", "three"):
        await store.browser_sessions.add(session(name))
    assert await store.browser_sessions.get("one", NOW) == session("one")
    assert await store.browser_sessions.get("one", LATER) is None
    await store.browser_sessions.end("one", NOW)
    assert await store.browser_sessions.get("one", NOW) is None
    assert await store.browser_sessions.get("two", NOW) is not None
    await store.browser_sessions.end_all("usr_alice", NOW)
    assert await store.browser_sessions.get("two", NOW) is None
    await store.browser_sessions.add(session("four"))
    await store.browser_sessions.purge(NOW)
    assert await store.browser_sessions.get("four", NOW) is not None
    await store.browser_sessions.purge(LATER)
    assert await store.browser_sessions.get("four", NOW) is None


async def test_the_browser_sessions_of_a_person(store: Store, alice: None) -> None:
    kept = session("one", address="198.51.100.7", agent="Firefox/140")
    await store.browser_sessions.add(kept)
    await store.browser_sessions.add(session("two", created_at=NOW + 1))
    await store.browser_sessions.add(session("ended"))
    await store.browser_sessions.end("ended", NOW)
    assert await store.browser_sessions.list("usr_alice", NOW) == [session("two", created_at=NOW + 1), kept]
    assert await store.browser_sessions.list("usr_alice", LATER) == []
    assert await store.browser_sessions.list("usr_bob", NOW) == []


async def test_a_run_through_the_authorization_endpoint(store: Store, alice: None) -> None:
    started = transaction(state="s&=", prompt="login")
    await store.transactions.add(started)
    assert await store.transactions.get("txn-1", NOW) == started
    assert await store.transactions.get("txn-1", LATER) is None
    signed_in = transaction(
        user_id="usr_alice", provider="github", provider_state="v1.x", resources=(SERVER,)
    )
    await store.transactions.update(signed_in)
    assert await store.transactions.get("txn-1", NOW) == signed_in
    assert await store.transactions.finish("txn-1", LATER) is False
    assert await store.transactions.finish("txn-1", NOW) is True
    assert await store.transactions.finish("txn-1", NOW) is False
    assert await store.transactions.get("txn-1", NOW) is None
    with pytest.raises(NotFound):
        await store.transactions.update(signed_in)
    assert await store.transactions.get("txn-1", NOW) is None, "a finished run is not revived"


async def test_runs_are_purged(store: Store, alice: None) -> None:
    await store.transactions.add(transaction("open"))
    await store.transactions.add(transaction("done"))
    await store.transactions.finish("done", NOW)
    await store.transactions.purge(NOW)
    assert await store.transactions.get("open", NOW) is not None
    await store.transactions.purge(LATER)
    assert await store.transactions.get("open", NOW) is None


async def test_consent_is_remembered_for_exactly_what_was_agreed(store: Store, alice: None) -> None:
    agreed = consent()
    await store.transactions.remember_consent(agreed)
    await store.transactions.remember_consent(consent(created_at=LATER))

    async def found(**other: object) -> bool:
        wanted = consent(**other)
        return (
            await store.transactions.consent(
                wanted.user_id, wanted.client_id, wanted.redirect_uri, wanted.scopes, wanted.resources
            )
            is not None
        )

    assert await found()
    assert await found(scopes=("offline_access", "mcp")), "scopes are a set"
    assert not await found(scopes=("mcp",))
    assert not await found(scopes=("mcp", "offline_access", "admin"))
    assert not await found(resources=())
    assert not await found(redirect_uri="https://evil.example.com/")
    assert not await found(client_id="cli_2")
    assert not await found(user_id="usr_bob")
    await store.transactions.forget_consents("usr_alice", "cli_1")
    assert not await found()


async def test_a_grant_with_its_parties(store: Store, granted: None) -> None:
    found = await store.grants.with_parties("grt_1")
    assert found == (
        await store.grants.get("grt_1"),
        await store.users.get("usr_alice"),
        await store.clients.get("cli_1"),
    )
    assert found[1] is not None
    assert await store.grants.with_parties("grt_x") is None
    await store.grants.approve(
        grant("grt_2", client_id="cli_gone"), code("code-2", grant_id="grt_2", client_id="cli_gone")
    )
    second = await store.grants.with_parties("grt_2")
    assert second is not None
    assert (second[0].client_id, second[1], second[2]) == ("cli_gone", found[1], None)


# -- keys, settings, changes -------------------------------------------------------------------------------


async def test_signing_keys_newest_first(store: Store) -> None:
    await store.signing_keys.add(signing_key("old"))
    await store.signing_keys.add(signing_key("new", created_at=LATER))
    await store.signing_keys.add(signing_key("other", purpose="id_token"))
    await store.signing_keys.retire("old", LATER)
    await store.signing_keys.retire("old", LATER + 9)
    found = await store.signing_keys.list("access_token")
    assert found == [signing_key("new", created_at=LATER), signing_key("old", retired_at=LATER)]
    with pytest.raises(Conflict):
        await store.signing_keys.add(signing_key("old"))
    assert {key.kid for key in await store.signing_keys.list()} == {"old", "new", "other"}
    told = [f"signing_key:{kid}" for kid in ("old", "new", "other", "old")]
    assert await entries(store, 0) == told, "each once, and a second retirement is none"


async def test_one_of_several_that_rotate_at_once_makes_the_key(store: Store, another: Open) -> None:
    stores = [store, await another()]
    first = [one.signing_keys.succeed(signing_key(f"first-{n}"), None) for n, one in enumerate(stores * 3)]
    assert sum(await asyncio.gather(*first)) == 1
    (newest,) = await store.signing_keys.list("access_token")
    assert not await store.signing_keys.succeed(signing_key("late"), None)
    assert not await store.signing_keys.succeed(signing_key("late"), "never there")
    next_one = [
        one.signing_keys.succeed(signing_key(f"next-{n}", created_at=LATER), newest.kid)
        for n, one in enumerate(stores * 3)
    ]
    assert sum(await asyncio.gather(*next_one)) == 1
    for key in await store.signing_keys.list("access_token"):
        await store.signing_keys.retire(key.kid, LATER)
    assert await store.signing_keys.succeed(signing_key("again"), None), "retired ones do not count"


async def test_settings(store: Store) -> None:
    assert await store.settings.get("era:files") is None
    await store.settings.put("era:files", "handshake")
    await store.settings.put("era:files", "stateless")
    assert await store.settings.get("era:files") == "stateless"
    assert await store.settings.put_if_absent("era:files", "x") == "stateless"
    assert await store.settings.put_if_absent("installation", "abc") == "abc"


async def test_the_feed_tells_when_something_was_missed(store: Store) -> None:
    for number in range(5):
        await store.grants.deny_token(f"jti-{number}", LATER)
    newest, _ = await store.changes.since(0)
    await store.changes.trim(2)
    assert await store.changes.since(newest) == (newest, [])
    assert await store.changes.since(newest - 2) == (newest, ["token:jti-3", "token:jti-4"])
    assert await store.changes.since(newest - 4) == (newest, ["all:*", "token:jti-3", "token:jti-4"])
    await store.grants.deny_token("jti-5", LATER)
    assert await store.changes.since(newest) == (newest + 1, ["token:jti-5"])


async def test_a_reader_begins_at_the_newest_change(store: Store) -> None:
    assert await store.changes.since(2**62) == (0, [])
    for number in range(3):
        await store.grants.deny_token(f"jti-{number}", LATER)
    newest, entries = await store.changes.since(2**62)
    assert entries == []
    assert newest == (await store.changes.since(0))[0]
    await store.grants.deny_token("jti-3", LATER)
    assert await store.changes.since(newest) == (newest + 1, ["token:jti-3"])


async def test_ready_says_yes(store: Store) -> None:
    await store.ready()
    await store.ready()


# -- registrations that change, and clients of the file ----------------------------------------------------


async def test_a_registration_is_replaced_by_whoever_knows_its_token(store: Store) -> None:
    await store.clients.add(client(registration_hash="r1", secret_hash="s1"))
    await store.clients.used("cli_1", NOW)
    start = (await store.changes.since(0))[0]
    wanted = client(
        name="Renamed", registration_hash="r2", secret_hash="s2", disabled=True, source="document"
    )
    assert not await store.clients.replace(wanted, "other", "s1")
    assert not await store.clients.replace(wanted, "r1", "s0")  # an operator was quicker with the secret
    assert not await store.clients.replace(wanted, "r1", None)
    assert await store.clients.replace(wanted, "r1", "s1")
    assert not await store.clients.replace(wanted, "r1", "s2")  # it counts once
    row = await store.clients.get("cli_1")
    assert row is not None
    assert (row.name, row.secret_hash, row.registration_hash) == ("Renamed", "s2", "r2")
    assert (row.disabled, row.source, row.last_used_at) == (False, "dynamic", NOW)
    assert await entries(store, start) == ["client:cli_1"]


async def test_a_disabled_registration_is_neither_replaced_nor_withdrawn(store: Store) -> None:
    await store.clients.add(client(registration_hash="r1", disabled=True))
    assert not await store.clients.replace(client(registration_hash="r2"), "r1", None)
    assert not await store.clients.withdraw("cli_1", "r1", NOW)
    assert await store.clients.get("cli_1") is not None


@pytest.mark.usefixtures("granted")
async def test_a_client_withdraws_with_everything_and_is_remembered_for_a_month(store: Store) -> None:
    await store.clients.add(client("cli_2", registration_hash="r1"))
    await store.grants.add(grant("grt_2", client_id="cli_2"))
    assert not await store.clients.withdraw("cli_2", "other", NOW)
    assert await store.clients.withdraw("cli_2", "r1", NOW)
    assert await store.grants.get("grt_2") is None
    assert await store.grants.get("grt_1") is not None
    assert await store.clients.deleted("cli_2")
    await store.clients.delete("cli_1")
    await store.clients.expire_unused(NOW + 29 * DAY)
    assert await store.clients.deleted("cli_2")
    await store.clients.expire_unused(NOW + 31 * DAY)
    assert not await store.clients.deleted("cli_2")
    assert await store.clients.deleted("cli_1")  # by an administrator: for good


async def test_a_renewed_secret_leaves_the_old_one_for_a_while(store: Store) -> None:
    await store.clients.add(client(secret_hash="s1"))
    await store.clients.renew_secret("cli_1", "s2", LATER)
    row = await store.clients.get("cli_1")
    assert row is not None
    assert (row.secret_hash, row.old_secret_hash, row.old_secret_until) == ("s2", "s1", LATER)
    with pytest.raises(NotFound):
        await store.clients.renew_secret("cli_x", "s2", LATER)


async def test_the_file_decides_which_configured_clients_there_are(store: Store) -> None:
    await store.users.add(user())
    await store.clients.add(client("cli_1"))
    await store.grants.add(grant("grt_1"))
    bot = client("bot", source="configured", secret_hash="s1", servers=("files",), jwks='{"keys":[]}')
    assert set(await store.clients.configure([bot, client("cli_1", source="configured")])) == {"bot", "cli_1"}
    assert await store.clients.get("bot") == bot
    assert await store.grants.get("grt_1") is None  # it was given to another client of that name
    assert not await store.clients.configure([bot, client("cli_1", source="configured")])
    await store.clients.set_disabled("bot", True)
    await store.grants.add(grant("grt_2", client_id="bot"))
    start = (await store.changes.since(0))[0]
    later = client("bot", source="configured", secret_hash="s2", created_at=LATER)
    assert set(await store.clients.configure([later])) == {"bot", "cli_1"}
    row = await store.clients.get("bot")
    assert row is not None
    assert (row.secret_hash, row.servers, row.disabled, row.created_at) == ("s2", (), True, NOW)
    assert await store.clients.get("cli_1") is None
    assert not await store.clients.deleted("cli_1")
    assert await store.grants.get("grt_2") is not None
    assert "client:cli_1" in await entries(store, start)
    assert await store.clients.configure([]) == ["bot"]
    assert await store.grants.get("grt_2") is None


async def test_a_grant_without_a_code_needs_its_principal(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.grants.add(grant(user_id="usr_gone"))
