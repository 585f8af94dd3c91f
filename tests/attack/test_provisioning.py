"""A directory that reaches further than its own people, and strangers at its door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gatekit.admin.desk import operator
from gatekit.admin.people import People
from gatekit.admin.scim_tokens import ScimTokens
from gatekit.errors import InvalidInput
from gatekit.identity.claiming import Claims
from gatekit.identity.scim.schema import GROUP_URN, USER_URN
from gatekit.model.audit import AdminEvent, DoorRefused
from gatekit.model.connections import Provisioning
from gatekit.model.people import LOCAL, ExternalIdentity, Identity, Membership, User
from gatekit.model.provisioning import Account, Provisioned
from gatekit.platform.clock import SystemEntropy
from gatekit.platform.limits import Rate
from gatekit.web.scim import Rates
from tests.contract.samples import group, session, user
from tests.support.scim import ENTRA, OKTA, Provider, ScimWorld, scim_world


@pytest.fixture
async def scim(tmp_path: Path) -> AsyncIterator[ScimWorld]:
    async with scim_world(tmp_path) as world:
        yield world


def desk(scim: ScimWorld) -> tuple[object, ...]:
    return (scim.store, scim.trail, scim.clock, SystemEntropy())


def of_okta(name: str = "ada", **fields: object) -> User:
    """Somebody who came by signing in over okta."""
    made = user(name, connection="okta", issuer="https://okta.example", subject=f"00u-{name}", login=name)
    return replace(made, **fields)


DEACTIVATE = {"op": "replace", "path": "active", "value": False}
REACTIVATE = {"op": "replace", "path": "active", "value": True}
PATHS = (
    "/", "/Users", "/Users/usr_x", "/Users/.search", "/Groups", "/Groups/grp_x", "/Groups/.search",
    "/.search",
    "/Bulk", "/Me", "/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas",
    f"/Schemas/{USER_URN}", "/okta/Users", "/okta/Bulk", "/nothing",
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_I12_nothing_is_told_without_a_token(scim: ScimWorld, method: str) -> None:
    """I12: Every path, every method, before the body is looked at; whatever there is, it looks the same."""
    stranger = Provider(scim.http, "")
    answers = [await stranger.send(method, path) for path in PATHS]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="scim"'


@pytest.mark.parametrize(
    "header",
    [
        "Bearer gk_scim_" + "x" * 43,
        "Bearer " + OKTA[:-1],
        "Bearer " + OKTA + "=",
        "Bearer " + OKTA.upper(),
        "Basic " + OKTA,
        OKTA,
        "Bearer",
        "Bearer " + "x" * 5000,
        f"Bearer {OKTA}, Bearer {ENTRA}",
        "Bearer gk_key_" + "x" * 43,
    ],
)
async def test_wrong_tokens(scim: ScimWorld, header: str) -> None:
    answer = await Provider(scim.http, "").get("/Users", Authorization=header)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    (event,) = [each for each in scim.trail.events if isinstance(each, DoorRefused)]
    assert OKTA[8:] not in repr(event)


async def test_two_headers_and_cookies_open_nothing(scim: ScimWorld) -> None:
    twice = [("Authorization", f"Bearer {OKTA}"), ("Authorization", f"Bearer {ENTRA}")]
    assert (await scim.http.get("/scim/v2/Users", headers=twice)).status_code == 401
    cookie = {"Cookie": f"Authorization=Bearer {OKTA}; gatekit={OKTA}"}
    assert (await scim.http.get("/scim/v2/Users", headers=cookie)).status_code == 401
    assert (await scim.http.get(f"/scim/v2/Users?access_token={OKTA}")).status_code == 401


async def test_a_token_that_two_connections_have_is_nobodys(scim: ScimWorld) -> None:
    scim.open["entra"] = Provisioning(token=OKTA)
    assert (await scim.okta.get("/Users")).status_code == 401
    scim.open = {"okta": Provisioning()}
    assert (await Provider(scim.http, "").get("/Users", Authorization="Bearer ")).status_code == 401


async def test_made_tokens_end(scim: ScimWorld) -> None:
    """Made, used, overlapped, expired, revoked; and none where provisioning is off."""
    tokens = ScimTokens(*desk(scim))  # type: ignore[arg-type]
    ops = operator("ops")
    scim.open = {"okta": Provisioning()}
    one = await tokens.create(ops, "okta")
    two = await tokens.create(ops, "okta", 3600)
    off = await tokens.create(ops, "entra")
    assert one.text.startswith("gk_scim_")
    assert [one.text in repr(each) for each in scim.trail.events] == [False] * 3
    assert one.text not in repr(await scim.store.scim_tokens.list())

    async def opens(text: str) -> bool:
        return (await Provider(scim.http, text).get("/Users")).status_code == 200

    assert [await opens(each.text) for each in (one, two, off)] == [True, True, False]
    used = (await scim.store.scim_tokens.list("okta"))[0].last_used_at
    assert used == int(scim.clock.at)
    scim.clock.at += 3600
    assert [await opens(each.text) for each in (one, two)] == [True, False]
    await tokens.revoke(ops, one.token.id)
    assert not await opens(one.text)
    assert scim.told()[-1] == "connection.scim_token_revoke okta"
    for _ in range(10):
        await tokens.create(ops, "okta")
    with pytest.raises(InvalidInput, match="10 tokens"):
        await tokens.create(ops, "okta")
    with pytest.raises(InvalidInput):
        await tokens.create(ops, "google", -1)


async def test_a_connection_that_is_switched_off_is_closed(scim: ScimWorld) -> None:
    del scim.open["okta"]
    assert (await scim.okta.get("/Users")).status_code == 401


async def test_F2_a_connection_reaches_its_own_people_only(scim: ScimWorld) -> None:
    """F2: Those of another connection, local accounts, service accounts and clients are not seen, not
    changed, not put into groups, and their names are not taken for anybody else's."""
    theirs = await scim.entra.user("eve", externalId="e1")
    others = [theirs["id"]]
    for connection in (LOCAL, "service", "client"):
        someone = user(f"x-{connection}", connection=connection, issuer=connection, login="root")
        await scim.store.users.add(someone)
        others.append(someone.id)
    assert await scim.okta.names("/Users") == []
    dev = await scim.okta.made("/Groups", displayName="Dev")
    before = [await scim.person(ident) for ident in others]
    for ident in others:
        path = f"/Users/{ident}"
        join = {"op": "add", "path": "members", "value": [{"value": ident}]}
        assert [
            (await scim.okta.get(path)).status_code,
            (await scim.okta.patch(path, DEACTIVATE)).status_code,
            (await scim.okta.send("PUT", path, {"schemas": [USER_URN], "userName": "x"})).status_code,
            (await scim.okta.send("DELETE", path)).status_code,
            (await scim.okta.patch(f"/Groups/{dev['id']}", join)).status_code,
        ] == [404, 404, 404, 404, 400]
    assert [await scim.person(ident) for ident in others] == before
    mine = await scim.okta.user("eve", externalId="e1")
    assert mine["id"] != theirs["id"]
    assert (await scim.person(mine["id"])).username == "eve-okta"
    entra_group = await scim.entra.made("/Groups", displayName="Dev", members=[{"value": theirs["id"]}])
    assert (await scim.okta.get(f"/Groups/{entra_group['id']}")).status_code == 404
    assert (await scim.okta.send("DELETE", f"/Groups/{entra_group['id']}")).status_code == 404
    assert await scim.okta.names("/Groups") == ["Dev"]
    assert (await scim.okta.get(f"/entra/Users/{theirs['id']}")).status_code == 403


async def test_F2_a_provisioned_group_is_none_of_ours(scim: ScimWorld) -> None:
    """F2: A directory that names a group "admins" does not put anybody into ours of that name."""
    await scim.store.groups.create(group("admins"))
    ada = (await scim.okta.user())["id"]
    made = await scim.okta.made("/Groups", displayName="admins", members=[{"value": ada}])
    assert await scim.store.groups.members("admins", LOCAL) == []
    assert await scim.store.groups.of_user(ada) == [Membership(user_id=ada, group="admins", source="okta")]
    assert (await scim.okta.send("DELETE", f"/Groups/{made['id']}")).status_code == 204
    assert await scim.store.groups.names() == ["admins"]
    ours = await scim.store.groups.get("admins")
    assert ours is not None
    assert (await scim.okta.get(f"/Groups/{ours.id}")).status_code == 404


async def test_F3_what_an_administrator_did_is_not_undone_by_a_sync(scim: ScimWorld) -> None:
    """F3: Somebody whom an administrator disabled stays out, whatever the directory repeats."""
    made = await scim.okta.user(active=True)
    people = People(*desk(scim))  # type: ignore[arg-type]
    await people.disable(operator("ops"), "ada")
    path = f"/Users/{made['id']}"
    await scim.okta.send(
        "PUT", path, {"schemas": [USER_URN], "userName": "ada", "active": True, "title": "x"}
    )
    await scim.okta.patch(path, REACTIVATE)
    assert (await scim.person(made["id"])).disabled
    await scim.okta.patch(path, DEACTIVATE)
    await scim.okta.patch(path, REACTIVATE)
    assert (await scim.person(made["id"])).disabled, "held here before the directory deactivated them"
    await people.enable(operator("ops"), "ada")
    assert not (await scim.person(made["id"])).disabled


async def test_F3_a_sync_in_the_same_moment_undoes_nothing(
    scim: ScimWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F3: The directory's change was thought of before the administrator acted, and is written after it."""
    made = await scim.okta.user()
    people = People(*desk(scim))  # type: ignore[arg-type]
    save = scim.store.accounts.save
    tries = 0

    async def late(before: Provisioned, person: User, account: Account) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await people.disable(operator("ops"), "ada")
        await save(before, person, account)

    monkeypatch.setattr(scim.store.accounts, "save", late)
    answer = await scim.okta.patch(f"/Users/{made['id']}", {"op": "add", "path": "title", "value": "x"})
    assert (answer.json()["title"], tries) == ("x", 2)
    assert (await scim.person(made["id"])).disabled


async def test_deactivated_is_out_at_once_and_comes_back(scim: ScimWorld) -> None:
    """F3: The row says so at once, browser sessions end, the change is told; reactivation gives back."""
    made = await scim.okta.user()
    await scim.store.browser_sessions.add(session(user_id=made["id"]))
    seen = (await scim.store.changes.since(0))[0]
    for _ in range(2):
        assert (await scim.okta.patch(f"/Users/{made['id']}", DEACTIVATE)).json()["active"] is False
    assert (await scim.person(made["id"])).disabled
    assert await scim.store.browser_sessions.list(made["id"], int(scim.clock.at)) == []
    assert f"user:{made['id']}" in (await scim.store.changes.since(seen))[1]
    await scim.okta.patch(f"/Users/{made['id']}", {"op": "Replace", "path": "active", "value": "True"})
    assert not (await scim.person(made["id"])).disabled
    assert scim.told() == ["user.create ada", "user.disable ada", "user.enable ada"]
    event = [each for each in scim.trail.events if isinstance(each, AdminEvent)][1]
    assert (event.principal, event.door) == ("scim:okta", "scim")
    assert "active=true" in event.before
    assert "active=false" in event.after


async def test_the_last_owner_stays(scim: ScimWorld) -> None:
    """Whose home is the connection may be deactivated by it, an owner too, but not the last one."""
    for name in ("ada", "bob"):
        await scim.store.users.add(of_okta(name, role="owner"))
    found = (await scim.okta.get("/Users")).json()["Resources"]
    assert [each["userName"] for each in found] == ["ada", "bob"]
    ada, bob = (f"/Users/{each['id']}" for each in found)
    assert (await scim.okta.patch(ada, DEACTIVATE)).status_code == 200
    assert (await scim.okta.patch(bob, DEACTIVATE)).status_code == 403
    assert (await scim.okta.send("DELETE", bob)).status_code == 403
    assert not (await scim.person("usr_bob")).disabled


async def test_roles_are_not_provisioned(scim: ScimWorld) -> None:
    made = await scim.okta.user(roles=[{"value": "owner", "primary": True}], userType="owner", role="owner")
    assert (await scim.person(made["id"])).role == "member"


async def test_an_address_from_a_directory_is_not_verified(scim: ScimWorld) -> None:
    """F1: A rule that names an address means one that its provider has verified at a sign-in."""
    made = await scim.okta.user(emails=[{"value": "ceo@example.com", "primary": True}])
    person = await scim.person(made["id"])
    assert (person.email, person.email_verified) == ("ceo@example.com", False)
    await scim.store.users.add(of_okta("bob", email="bob@example.com", email_verified=True))
    path = "/Users/usr_bob"
    await scim.okta.patch(path, {"op": "add", "path": "title", "value": "x"})
    assert (await scim.person("usr_bob")).email_verified
    other = [{"value": "ceo@example.com", "primary": True}]
    await scim.okta.patch(path, {"op": "replace", "path": "emails", "value": other})
    bob = await scim.person("usr_bob")
    assert (bob.email, bob.email_verified) == ("ceo@example.com", False)


async def test_people_who_came_by_signing_in_are_adopted(scim: ScimWorld) -> None:
    """Found by their login, changed under their id, and nobody is made beside them."""
    await scim.store.users.add(of_okta("ada", login="Ada@Example.com", display_name="Ada L."))
    await scim.store.users.add(of_okta("old", login="ada@example.com"))
    found = (await scim.okta.get('/Users?filter=userName eq "ada@example.com"')).json()["Resources"]
    assert [each["displayName"] for each in found] == ["Ada L."]
    body = {"schemas": [USER_URN], "userName": "ADA@example.com"}
    assert (await scim.okta.send("POST", "/Users", body)).status_code == 409
    names = await scim.okta.names("/Users")
    assert names == ["Ada@Example.com", "old"]
    assert (await scim.okta.patch("/Users/usr_old", DEACTIVATE)).status_code == 200
    assert (await scim.person("usr_old")).disabled


async def test_names_that_cannot_be_had_do_not_stop_the_others(scim: ScimWorld) -> None:
    for name in ("ada", "usr_ada"):
        await scim.okta.user(name)
    await scim.store.users.add(replace(of_okta("ada"), username="ada-2", login="x\ty"))
    await scim.okta.user("ada-2")
    assert await scim.okta.names("/Users") == ["ada", "usr_ada", "ada-2"]


async def test_what_is_kept_of_one_person_is_bounded(scim: ScimWorld) -> None:
    made = await scim.okta.user()
    more = [{"value": f"{number}@x.example"} for number in range(60)]
    path = f"/Users/{made['id']}"
    assert (await scim.okta.patch(path, {"op": "add", "path": "emails", "value": more})).status_code == 200
    others = [{"value": f"o{number}@x.example"} for number in range(60)]
    answer = await scim.okta.patch(path, {"op": "add", "path": "emails", "value": others})
    assert answer.json()["scimType"] == "invalidValue"
    large = [{"value": "x" * 4000, "type": str(number)} for number in range(40)]
    answer = await scim.okta.patch(path, {"op": "add", "path": "phoneNumbers", "value": large})
    assert answer.json()["scimType"] == "invalidValue"
    names = ",".join(["title"] * 101)
    assert (await scim.okta.get(f"/Users?attributes={names}")).status_code == 400


async def test_what_goes_into_headers_and_pages_is_text(scim: ScimWorld) -> None:
    emails = [
        {"value": "a@b.example\r\nX: y", "primary": True},
        {"value": "a@b@c"},
        {"value": "ok@b.example"},
    ]
    made = await scim.okta.user(emails=emails, displayName="Ada\r\nX: y\u202e")
    person = await scim.person(made["id"])
    assert (person.email, person.display_name) == ("ok@b.example", "AdaX: y")


# -- the first sign-in -------------------------------------------------------------------------------------


def sign_in(subject: str, login: str, email: str | None = None, **fields: object) -> ExternalIdentity:
    made = ExternalIdentity(
        connection="okta",
        issuer="https://okta.example",
        subject=subject,
        login=login,
        email=email,
        email_verified=email is not None,
    )
    return replace(made, **fields)


def claims(scim: ScimWorld) -> Claims:
    return Claims(scim.store.users, scim.store.accounts, scim.clock, scim.open.get)


@pytest.mark.parametrize(
    "identity",
    [
        sign_in("00u1", "somebody"),
        sign_in("x", "ADA@example.com"),
        sign_in("x", "ada", "Ada@Example.com"),
    ],
)
async def test_a_provisioned_person_is_found_at_the_first_sign_in(
    scim: ScimWorld, identity: ExternalIdentity
) -> None:
    made = await scim.okta.user("ada@example.com", externalId="00u1")
    found = await claims(scim).claim(identity)
    assert found is not None
    assert found.id == made["id"]
    assert await scim.store.users.by_identity("okta", "https://okta.example", identity.subject) == found
    # Only once: whoever comes next with the same name is somebody else.
    assert await claims(scim).claim(replace(identity, subject="another")) is None
    # What is provisioned afterwards is still that person, and the sign-in keeps its login.
    await scim.okta.patch(f"/Users/{made['id']}", {"op": "add", "path": "title", "value": "x"})
    assert (await scim.person(made["id"])).issuer == "https://okta.example"


@pytest.mark.parametrize(
    "identity",
    [
        sign_in("00u2", "eve"),
        sign_in("", "ada@example.com ", connection="entra"),
        sign_in("00u1", "ada@example.com", connection="google"),
        sign_in("x", "ada", "ada@example.com", email_verified=False),
        sign_in("x", " "),
        sign_in("x", "ada@example.com", "bob@example.com"),
    ],
)
async def test_F1_nobody_else_is_taken_for_them(scim: ScimWorld, identity: ExternalIdentity) -> None:
    """F1: Another connection, an address that is not verified, a sign-in that fits two."""
    made = await scim.okta.user("ada@example.com", externalId="00u1")
    await scim.okta.user("bob@example.com")
    assert await claims(scim).claim(identity) is None
    assert (await scim.person(made["id"])).issuer == "scim"


async def test_F1_a_named_claim_is_the_only_way(scim: ScimWorld) -> None:
    """F1: With `match`, neither a login nor an address makes anybody a provisioned person."""
    scim.open["okta"] = Provisioning(token=OKTA, match="oid")
    made = await scim.okta.user("ada@example.com", externalId="o-1")
    for attributes in ({}, {"oid": ()}, {"oid": ("o-2",)}, {"oid": ("o-1", "o-2")}, {"oid": ("",)}):
        identity = sign_in("o-1", "ada@example.com", "ada@example.com", attributes=attributes)
        assert await claims(scim).claim(identity) is None
    found = await claims(scim).claim(sign_in("s", "x", attributes={"oid": ("o-1",)}))
    assert found is not None
    assert found.id == made["id"]


async def test_F1_who_has_signed_in_is_never_claimed(scim: ScimWorld) -> None:
    """F1: A recycled login does not get the account of whoever had it before."""
    await scim.store.users.add(of_okta("ada"))
    assert await scim.okta.names("/Users") == ["ada"]
    assert await claims(scim).claim(sign_in("another", "ada")) is None
    identity = Identity(
        user_id="usr_ada", connection="okta", issuer="i", subject="another", login="ada", created_at=1
    )
    assert not await scim.store.accounts.claim(identity, 1)


# -- too much ----------------------------------------------------------------------------------------------


async def test_a_provider_has_a_budget_and_so_have_strangers(tmp_path: Path) -> None:
    async with scim_world(tmp_path, Rates(Rate(3, 60), Rate(2, 60))) as world:
        assert [(await world.okta.get("/Users")).status_code for _ in range(4)] == [200, 200, 200, 429]
        late = await world.okta.get("/Users")
        assert (late.status_code, late.headers["retry-after"]) == (429, "2")
        assert (await world.entra.get("/Users")).status_code == 200
        world.clock.at += 60
        several = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{"method": "DELETE", "path": f"/Users/u{number}"} for number in range(5)],
        }
        late = await world.okta.send("POST", "/Bulk", several)
        assert (late.status_code, late.headers["retry-after"]) == (429, "4")
        assert (await world.okta.get("/Users")).status_code == 200, "what was refused used nothing up"
        stranger = Provider(world.http, "gk_scim_wrong")
        assert [(await stranger.get("/Users")).status_code for _ in range(4)] == [401, 401, 429, 429]
        assert len([each for each in world.trail.events if isinstance(each, DoorRefused)]) == 2


async def test_names_that_are_no_names(scim: ScimWorld) -> None:
    for name in ("a\nb", "\u202eada", " ", "x" * 257):
        body = {"schemas": [GROUP_URN], "displayName": name}
        assert (await scim.okta.send("POST", "/Groups", body)).status_code == 400
        body = {"schemas": [USER_URN], "userName": name}
        assert (await scim.okta.send("POST", "/Users", body)).status_code == 400
    made = await scim.okta.user("../../etc/passwd")
    assert (await scim.person(made["id"])).username == "etc-passwd"
