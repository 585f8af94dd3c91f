"""Sign-in with a directory's password, against a real OpenLDAP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import ldap
import msgspec
import pytest

from gatekit.errors import DirectoryRefused, ProviderFailed, SignInRefused
from gatekit.identity.attempts import REFUSED, Attempts
from gatekit.identity.ldap import wire
from gatekit.identity.ldap.provider import LdapPasswords
from gatekit.identity.threads import Threads
from gatekit.model.directory import GroupSearch, LdapConnection, UserSearch
from gatekit.model.people import ExternalIdentity, User
from tests.support.clock import ManualClock
from tests.support.slapd import (
    BASE,
    READER,
    READER_PASSWORD,
    Slapd,
    group,
    group_dn,
    person,
    user_dn,
)

HOME = "203.0.113.7"
LOCKED = "pwdAccountLockedTime"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server = Slapd(
        tmp_path_factory.mktemp("slapd"),
        person("alice", "alice password", displayName="Alice A."),
        person("bob", "bob password"),
        person("twin", "twin password").replace("uid=twin,", "cn=one,").replace("cn: Twin", "cn: one"),
        person("twin", "twin password").replace("uid=twin,", "cn=two,").replace("cn: Twin", "cn: two"),
        group("team", user_dn("alice")),
        group("department", group_dn("team")),
        group("company", group_dn("department"), group_dn("circle")),
        group("circle", group_dn("company")),
        group("others", user_dn("bob")),
        person("big", "big password", description="x" * ((1 << 20) + 1)),
        f"dn: ou=aliases,{BASE}\nobjectClass: organizationalUnit\nou: aliases",
        f"dn: ou=other,ou=aliases,{BASE}\nobjectClass: alias\nobjectClass: extensibleObject\nou: other\n"
        f"aliasedObjectName: {user_dn('alice')}",
    )
    server.start()
    yield server
    server.stop()


def settings(directory: Slapd, **changes: object) -> LdapConnection:
    plain = LdapConnection(
        name="corp",
        title="Example Corp",
        urls=(directory.url,),
        users=UserSearch(base=f"ou=people,{BASE}"),
        group_search=GroupSearch(base=f"ou=groups,{BASE}", nesting="walk"),
        ca_file=str(directory.chain),
        bind_dn=READER,
        bind_password=READER_PASSWORD,
    )
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    pool = Threads("ldap", 2, 8)
    yield pool
    pool.close()


async def nobody_is_stored(identity: ExternalIdentity) -> User:
    raise AssertionError(identity)


def provider(told: LdapConnection, threads: Threads, clock: ManualClock | None = None) -> LdapPasswords:
    clock = clock or ManualClock()
    return LdapPasswords(told, wire.connected, nobody_is_stored, Attempts(clock), threads, clock)


async def refused(corp: LdapPasswords, login: str, password: str) -> SignInRefused:
    with pytest.raises(SignInRefused) as caught:
        await corp.identify(login, password, HOME)
    assert caught.value.public == REFUSED
    return caught.value


async def test_the_password_of_the_directory_signs_in(directory: Slapd, threads: Threads) -> None:
    alice = await provider(settings(directory), threads).identify("Alice ", "alice password", HOME)
    assert (alice.connection, alice.issuer, alice.login) == ("corp", "ldap", "alice")
    assert (alice.email, alice.email_verified, alice.display_name) == ("alice@example.com", False, "Alice")
    assert len(alice.subject) == 36
    assert alice.upstream == alice.subject
    assert alice.attributes["displayname"] == ("Alice A.",)
    assert "userpassword" not in alice.attributes


async def test_an_address_counts_as_verified_only_if_the_operator_says_so(
    directory: Slapd, threads: Threads
) -> None:
    """F1: in some directories people write their own address."""
    alice = await provider(settings(directory, verified_email=True), threads).identify(
        "alice", "alice password", HOME
    )
    assert alice.email_verified


async def test_over_tls_from_the_first_byte(directory: Slapd, threads: Threads) -> None:
    corp = provider(settings(directory, urls=(directory.tls_url,)), threads)
    assert (await corp.identify("bob", "bob password", HOME)).login == "bob"


@pytest.mark.parametrize(
    ("nesting", "expected"),
    [("none", {"team"}), ("walk", {"team", "department", "company", "circle"})],
)
async def test_groups_and_groups_of_groups(
    directory: Slapd, threads: Threads, nesting: str, expected: set[str]
) -> None:
    groups = GroupSearch(base=f"ou=groups,{BASE}", nesting=nesting)  # type: ignore[arg-type]
    corp = provider(settings(directory, group_search=groups), threads)
    assert (await corp.identify("alice", "alice password", HOME)).provider_groups == expected


@pytest.mark.parametrize(
    "password", ["", " ", "\0", "\0alice password", "alice password\0", "\ud800", "a" * 1025]
)
async def test_what_is_no_password_never_reaches_the_directory(
    directory: Slapd, threads: Threads, password: str
) -> None:
    """U5: a bind without a password succeeds as nobody (RFC 4513 §5.1.2)."""
    corp = provider(settings(directory, urls=("ldap://127.0.0.1:1",)), threads)  # it would say "unreachable"
    await refused(corp, "alice", password)


async def test_the_link_itself_refuses_to_bind_without_a_password(directory: Slapd) -> None:
    """U5: once more where it is sent, for whoever calls it next."""
    with wire.connected(directory.url, settings(directory)) as link:
        for dn, password in ((user_dn("alice"), ""), ("", "x"), ("", ""), (user_dn("alice"), "\0")):
            with pytest.raises(DirectoryRefused, match="never binds"):
                link.bind(dn, password)


@pytest.mark.parametrize(
    "login",
    [
        "nobody",
        "*",
        "a*",
        "alice)(uid=*",
        "*)(|(uid=alice",
        "alice)(userPassword=*",
        "alice\0",
        "alice\\",
        "\\61lice",
        "{dn}",
        "{login}",
        "uid=alice",
        user_dn("alice"),
        "alice,ou=people",
        "twin",
        "",
        "a" * 5000,
        "ali\u0000ce",
        "ali\nce",
    ],
)
async def test_a_name_is_text_and_never_part_of_a_search(
    directory: Slapd, threads: Threads, login: str
) -> None:
    """U5: filter and DN escaping (RFC 4515 §3); two entries for one name are nobody."""
    await refused(provider(settings(directory), threads), login, "alice password")


async def test_a_wrong_password_and_an_unknown_name_are_told_apart_by_nobody(
    directory: Slapd, threads: Threads
) -> None:
    """U1: the same text; the reasons differ in the audit only."""
    corp = provider(settings(directory), threads)
    wrong = await refused(corp, "alice", "bob password")
    unknown = await refused(corp, "carol", "bob password")
    assert "refuses the password" in wrong.detail
    assert "refuses the password" in unknown.detail


async def test_guesses_slow_down(directory: Slapd, threads: Threads) -> None:
    """U1: however the name is spelled."""
    corp = provider(settings(directory), threads)
    for spelling in ("bob", "BOB", " Bob", "boB ", "bOb"):
        await refused(corp, spelling, "wrong")
    assert "too many failures" in (await refused(corp, "bob", "bob password")).detail


async def test_somebody_who_was_renamed_is_the_same_person(directory: Slapd, threads: Threads) -> None:
    """F1: the DN and the login change, entryUUID does not."""
    corp = provider(settings(directory), threads)
    server = directory
    server.modify(f"dn: {user_dn('carol')}\nchangetype: add\n" + _body(person("carol", "carol password")))
    before = await corp.identify("carol", "carol password", HOME)
    server.modify(
        f"dn: {user_dn('carol')}\nchangetype: modrdn\nnewrdn: uid=caroline\ndeleteoldrdn: 1\n"
        f"newsuperior: ou=services,{BASE}"
    )
    moved = provider(settings(directory, users=UserSearch(base=BASE)), threads)
    after = await moved.identify("caroline", "carol password", HOME)
    assert (after.subject, after.login) == (before.subject, "caroline")
    assert (await moved.ask_again(before.upstream)).login == "caroline"
    server.modify(f"dn: uid=caroline,ou=services,{BASE}\nchangetype: delete")
    with pytest.raises(SignInRefused, match="no entry"):
        await moved.ask_again(before.upstream)


async def test_a_dead_server_is_passed_over_and_rests(directory: Slapd, threads: Threads) -> None:
    clock = ManualClock()
    corp = provider(settings(directory, urls=("ldap://127.0.0.1:1", directory.url)), threads, clock)
    assert (await corp.identify("bob", "bob password", HOME)).login == "bob"
    assert corp._servers._order() == [directory.url, "ldap://127.0.0.1:1"]
    clock.at += 31
    assert corp._servers._order() == ["ldap://127.0.0.1:1", directory.url]


async def test_no_server_is_trouble_and_not_a_wrong_password(directory: Slapd, threads: Threads) -> None:
    corp = provider(settings(directory, urls=("ldap://127.0.0.1:1",)), threads)
    for _ in range(8):  # and not a guess either
        with pytest.raises(ProviderFailed, match="Can't contact"):
            await corp.identify("bob", "bob password", HOME)
    with pytest.raises(ProviderFailed):
        await corp.ask_again("x")


async def test_the_searching_account_is_named_when_it_is_not_let_in(
    directory: Slapd, threads: Threads
) -> None:
    corp = provider(settings(directory, bind_password="old"), threads)
    with pytest.raises(ProviderFailed) as caught:
        await corp.identify("bob", "bob password", HOME)
    assert READER in caught.value.detail
    assert "nothing is wrong with your password" in caught.value.public


@pytest.mark.parametrize("scheme", ["url", "tls_url"])
async def test_a_certificate_of_somebody_else_ends_it(
    directory: Slapd, threads: Threads, tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password goes to nobody who cannot prove to be the directory, whatever the environment says."""
    monkeypatch.setenv("LDAPTLS_REQCERT", "never")
    corp = provider(settings(directory, urls=(getattr(directory, scheme),), ca_file=""), threads)
    with pytest.raises(ProviderFailed):
        await corp.identify("bob", "bob password", HOME)


async def test_an_alias_is_not_followed(directory: Slapd) -> None:
    """Somebody who may write aliases must not be able to be found as somebody else."""
    ldap.set_option(ldap.OPT_DEREF, ldap.DEREF_ALWAYS)  # as a line in ldap.conf would have it
    try:
        _aliases(directory)
    finally:
        ldap.set_option(ldap.OPT_DEREF, ldap.DEREF_NEVER)


def _aliases(directory: Slapd) -> None:
    with wire.connected(directory.url, settings(directory)) as link:
        link.bind(READER, READER_PASSWORD)
        (found,) = link.search(f"ou=aliases,{BASE}", "(objectClass=*)", ["*"], 10)[-1:]
        assert found.dn.startswith("ou=other,ou=aliases")
        assert link.search(f"ou=aliases,{BASE}", "(uid=alice)", ["*"], 10) == []


async def test_what_is_beyond_any_person_is_refused(
    directory: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wire.connected(directory.url, settings(directory)) as link:
        link.bind(READER, READER_PASSWORD)
        everybody = f"ou=people,{BASE}"
        assert len(link.search(everybody, "(uid=*)", ["*"], 2)) == 2
        with pytest.raises(DirectoryRefused, match=r"the entry uid=big\S* is above"):
            link.search(everybody, "(uid=big)", ["*"], 2)
        assert len(link.search(everybody, "(uid=big)", ["cn"], 2)) == 1
        monkeypatch.setattr(wire, "MAX_ANSWER", 200)
        with pytest.raises(DirectoryRefused, match="an answer above 200 octets"):
            link.search(everybody, "(&(uid=*)(!(uid=big)))", ["*"], 10)
        assert len(link.search(everybody, "(uid=*)", ["uid"], 10)) > 3  # and the link goes on


async def test_without_an_account_of_its_own_it_searches_as_nobody(
    directory: Slapd, threads: Threads
) -> None:
    """Not as whoever signed in last: this directory shows nothing to nobody."""
    corp = provider(settings(directory, bind_dn=""), threads)
    with pytest.raises(ProviderFailed, match="Insufficient access"):
        await corp.identify("bob", "bob password", HOME)


async def test_the_preview_says_what_a_sign_in_would_bring(directory: Slapd, threads: Threads) -> None:
    corp = provider(settings(directory), threads)
    assert (await corp.preview("BOB")).provider_groups == {"others"}
    with pytest.raises(SignInRefused, match="no entry"):
        await corp.preview("nobody")


def _body(ldif: str) -> str:
    return ldif.partition("\n")[2]
