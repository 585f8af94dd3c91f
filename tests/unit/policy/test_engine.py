"""Who may do what, and why: one test a clause, and one that decide and visible never differ."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekit.model.decision import Allow, Deny
from gatekit.model.people import Principal
from gatekit.model.rules import (
    AccessList,
    Anyone,
    ByEmail,
    ByGroup,
    ByLogin,
    ByProviderGroup,
    NarrowedKind,
    Rules,
    Selector,
    ServerRules,
    ToolRule,
)
from gatekit.policy.engine import Kind, Policy
from gatekit.policy.server_rights import MEMO_LIMIT
from tests.unit.policy.people import github, local

ALICE = ByLogin("local", "alice")
BOB = ByLogin("local", "bob")


def policy(
    *servers: ServerRules,
    gateway: AccessList = None,
    groups: tuple[tuple[str, tuple[Selector, ...]], ...] = (),
    auth_enabled: bool = True,
) -> Policy:
    return Policy.compile(Rules(gateway=gateway, groups=groups, servers=servers, auth_enabled=auth_enabled))


def server(name: str = "db", *allowed: Selector, tools: tuple[ToolRule, ...] = ()) -> ServerRules:
    return ServerRules(server=name, allowed=allowed, tools=tools)


def may(selector: Selector, principal: Principal) -> bool:
    return policy(server("db", selector)).rights(principal).visible("db", "server")


# -- lists -------------------------------------------------------------------------------------------------


def test_nobody_is_allowed_by_default() -> None:
    rights = policy(ServerRules(server="db")).rights(local())
    assert rights.decide("db", "server") == Deny("no list names anybody for this server", "default")
    assert rights.servers() == ()


def test_an_unknown_server_is_denied() -> None:
    rights = policy(server("db", Anyone())).rights(local())
    assert rights.decide("nope", "tool", "x") == Deny("no such server", "default")


def test_a_server_list_allows_whom_it_names_and_nobody_else() -> None:
    rules = policy(server("db", ALICE))
    assert rules.rights(local("alice")).decide("db", "tool", "query") == Allow("servers.db.allowed_users")
    assert rules.rights(local("bob")).decide("db", "tool", "query") == Deny(
        "not on the list of this server", "servers.db.allowed_users"
    )


def test_an_empty_server_list_is_nobody_even_for_those_on_the_gateway_list() -> None:
    rights = policy(ServerRules(server="db", allowed=()), gateway=(ALICE,)).rights(local())
    assert rights.decide("db", "server") == Deny("not on the list of this server", "servers.db.allowed_users")


def test_an_absent_server_list_inherits_the_gateway_list() -> None:
    rules = policy(ServerRules(server="db"), gateway=(ALICE,))
    assert rules.rights(local("alice")).decide("db", "server") == Allow("proxy.auth.allowed_users")
    assert not rules.rights(local("bob")).visible("db", "server")


def test_the_gateway_list_is_a_gate_before_every_server() -> None:
    rules = policy(server("db", BOB), gateway=(ALICE,))
    assert rules.rights(local("bob")).decide("db", "server") == Deny(
        "not on the gateway-wide list", "proxy.auth.allowed_users"
    )
    assert rules.rights(local("alice")).servers() == ()


def test_servers_come_in_the_order_of_the_file() -> None:
    rules = policy(server("z", ALICE), server("m", BOB), server("a", ALICE))
    assert rules.rights(local()).servers() == ("z", "a")


# -- the gateway-wide gate ---------------------------------------------------------------------------------


def test_admits_whom_the_gateway_list_names() -> None:
    rules = policy(server("db", BOB), gateway=(ALICE,))
    assert rules.admits(local("alice"))
    assert not rules.admits(local("bob"))


def test_admits_without_a_gateway_list_whoever_a_server_names() -> None:
    rules = policy(server("db", BOB), server("fs", ByGroup("dev")), groups=(("dev", (ALICE,)),))
    assert rules.admits(local("alice"))
    assert rules.admits(local("bob"))
    assert not rules.admits(local("carol"))


def test_an_empty_gateway_list_admits_nobody() -> None:
    rules = policy(server("db", ALICE), gateway=())
    assert not rules.admits(local())
    assert not rules.rights(local()).visible("db", "server")


def test_no_list_anywhere_admits_nobody() -> None:
    assert not policy(ServerRules(server="db")).admits(local())


def test_with_authentication_off_everything_declared_is_allowed() -> None:
    rules = policy(
        ServerRules(server="db", allowed=(), tools=(ToolRule(glob="*", allowed=()),)), auth_enabled=False
    )
    assert rules.admits(local("anonymous"))
    assert rules.rights(local("anonymous")).decide("db", "tool", "drop") == Allow("proxy.auth.enabled")
    assert not rules.rights(local("anonymous")).visible("other", "server")


# -- selectors ---------------------------------------------------------------------------------------------


def test_a_verified_address_matches_whatever_its_case() -> None:
    assert may(ByEmail("Alice@Company.com"), local("a", email="alice@COMPANY.com"))


def test_an_unverified_address_never_matches() -> None:
    assert not may(ByEmail("alice@company.com"), local("a", email="alice@company.com", verified=False))


@pytest.mark.parametrize(
    "address",
    ["alice@company.com@evil.com", "@company.com", "alice@", "alice", "", "al ice@company.com", "a\n@b.c"],
)
def test_an_address_that_can_be_read_in_two_ways_matches_nothing(address: str) -> None:
    assert not may(ByEmail(address), local("a", email=address))


def test_lower_case_does_not_reach_across_alphabets() -> None:
    """U+212A (Kelvin sign) becomes ``k`` in ``str.lower``: another mailbox must not become ours."""
    assert "\u212a".lower() == "k"
    assert not may(ByEmail("kate@company.com"), local("x", email="\u212aate@company.com"))
    assert not may(ByLogin("github", "kate"), github("\u212aate"))


def test_a_login_matches_whatever_its_case() -> None:
    assert may(ByLogin("github", "octocat"), github("OctoCat"))


def test_a_login_of_one_connection_is_nobody_at_another() -> None:
    assert not may(ByLogin("local", "alice"), github("alice", username="alice"))
    assert not may(ByLogin("github", "alice"), local("alice"))
    assert not may(ByLogin("github", "alice"), github("alice", connection="ghes"))


def test_our_own_username_of_a_stranger_is_no_login_there() -> None:
    assert not may(ByLogin("github", "alice"), github("mallory", username="alice"))


def test_the_login_field_of_a_local_person_is_not_believed() -> None:
    person = Principal(id="u", username="mallory", connection="local", login="alice")
    assert not may(ByLogin("local", "alice"), person)


def test_an_empty_login_matches_nothing() -> None:
    assert not may(ByLogin("github", ""), github(""))


def test_groups_of_the_store_and_of_the_file() -> None:
    assert may(ByGroup("dev"), local(groups=frozenset({"dev"})))
    assert not may(ByGroup("dev"), local(groups=frozenset({"Dev"})))
    rules = policy(server("db", ByGroup("dev")), groups=(("dev", (ALICE, ByEmail("b@c.de"))),))
    assert rules.rights(local("alice")).visible("db", "server")
    assert rules.rights(local("x", email="b@c.de")).visible("db", "server")
    assert not rules.rights(local("carol")).visible("db", "server")


def test_groups_may_hold_groups_and_even_circles() -> None:
    groups: tuple[tuple[str, tuple[Selector, ...]], ...] = (
        ("all", (ByGroup("dev"), ByGroup("sre"))),
        ("dev", (ByGroup("all"), ALICE)),
        ("sre", (BOB,)),
    )
    rules = policy(server("db", ByGroup("all")), server("ops", ByGroup("sre")), groups=groups)
    assert rules.rights(local("alice")).servers() == ("db",)
    assert rules.rights(local("bob")).servers() == ("db", "ops")
    assert rules.rights(local("x", groups=frozenset({"sre"}))).servers() == ("db", "ops")
    assert rules.groups(local("bob")) == {"all", "dev", "sre"}


def test_what_a_provider_asserts_is_no_group_of_ours() -> None:
    """Anybody can found an organisation called ``sre`` there."""
    assert not may(ByGroup("sre"), github(provider_groups=frozenset({"sre"})))


def test_organisations_and_teams_belong_to_their_connection() -> None:
    member = github(provider_groups=frozenset({"Acme", "Acme/Platform"}))
    assert may(ByProviderGroup("github", "acme"), member)
    assert may(ByProviderGroup("github", "acme/platform"), member)
    assert not may(ByProviderGroup("github", "acme/security"), member)
    assert not may(ByProviderGroup("ghes", "acme"), member)
    assert not may(ByProviderGroup("github", "acme"), local(groups=frozenset({"acme"})))


def test_anyone_is_anybody_who_signed_in() -> None:
    assert may(Anyone(), github())
    assert may(Anyone(), local())


# -- narrowing ---------------------------------------------------------------------------------------------


def narrowed(*rules: ToolRule) -> Policy:
    return policy(server("db", ByGroup("dev"), tools=rules), groups=(("dev", (ALICE, BOB)), ("sre", (BOB,))))


DELETE = ToolRule(glob="delete_*", allowed=(ByGroup("sre"),))


def test_a_glob_takes_away_from_those_it_does_not_name() -> None:
    rules = narrowed(DELETE)
    assert rules.rights(local("alice")).decide("db", "tool", "delete_row") == Deny(
        "not on the list of this tool", 'servers.db.tools["delete_*"]'
    )
    assert rules.rights(local("bob")).decide("db", "tool", "delete_row") == Allow(
        'servers.db.tools["delete_*"]'
    )
    assert rules.rights(local("alice")).decide("db", "tool", "read_row") == Allow("servers.db.allowed_users")


def test_a_glob_gives_nothing_to_those_whom_the_server_refuses() -> None:
    rules = policy(server("db", ALICE, tools=(ToolRule(glob="*", allowed=(BOB,)),)))
    assert not rules.rights(local("bob")).visible("db", "tool", "x")
    assert not rules.rights(local("alice")).visible("db", "tool", "x")


def test_every_matching_glob_must_allow_in_any_order() -> None:
    wide = ToolRule(glob="*", allowed=(ByGroup("dev"),))
    closed = ToolRule(glob="*_all", allowed=())
    for order in ((wide, DELETE, closed), (closed, DELETE, wide)):
        rights = narrowed(*order).rights(local("bob"))
        assert rights.visible("db", "tool", "delete_row")
        assert not rights.visible("db", "tool", "delete_all")


def test_a_glob_meets_every_spelling_of_case() -> None:
    assert not narrowed(DELETE).rights(local("alice")).visible("db", "tool", "Delete_Row")


@pytest.mark.parametrize("kind", ["prompt", "resource"])
def test_a_glob_for_tools_says_nothing_about_other_things(kind: Kind) -> None:
    assert narrowed(DELETE).rights(local("alice")).visible("db", kind, "delete_row")


def test_prompts_can_be_narrowed() -> None:
    rule = ToolRule(glob="sql_*", allowed=(), kind="prompt")
    rights = narrowed(rule).rights(local("alice"))
    assert rights.decide("db", "prompt", "sql_x") == Deny(
        "not on the list of this prompt", 'servers.db.prompts["sql_*"]'
    )
    assert rights.visible("db", "tool", "sql_x")


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "file:///%65tc/passwd",
        "FILE:///etc/passwd",
        "file:///tmp/../etc/passwd",
        "file:///tmp/%2e%2e/etc/passwd",
        "file:///./etc/passwd",
        "file:////etc//passwd",
    ],
)
def test_a_glob_on_resources_holds_for_every_spelling_of_the_uri(uri: str) -> None:
    rule = ToolRule(glob="file:///etc/*", allowed=(), kind="resource")
    rights = narrowed(rule).rights(local("alice"))
    assert not rights.visible("db", "resource", uri)
    assert rights.visible("db", "resource", "file:///srv/etc.txt")


def test_names_from_clients_do_not_fill_the_memory() -> None:
    rights = narrowed(DELETE).rights(local("alice"))
    for number in range(MEMO_LIMIT + 50):
        assert not rights.visible("db", "tool", f"delete_{number}")
    assert len(rights._servers["db"].memo) == MEMO_LIMIT


# -- decide and visible agree, and nothing is allowed without a reason ------------------------------------

names = st.sampled_from(["alice", "bob", "Carol", "dev", "sre"])
connections = st.sampled_from(["local", "github", "ghes"])
addresses = st.sampled_from(["alice@x.org", "BOB@x.org", "a@b@c", "eve@x.org"])
selectors: st.SearchStrategy[Selector] = st.one_of(
    st.builds(ByEmail, addresses),
    st.builds(ByLogin, connections, names),
    st.builds(ByGroup, names),
    st.builds(ByProviderGroup, connections, names),
    st.just(Anyone()),
)
lists = st.lists(selectors, max_size=3).map(tuple)
globs = st.sampled_from(["*", "delete_*", "?et_row", "[dg]*", "no"])
tool_rules = st.builds(ToolRule, glob=globs, allowed=lists, kind=st.sampled_from(get_args(NarrowedKind)))
server_names = ("a", "b", "c")
server_rules = st.tuples(
    *(
        st.builds(
            ServerRules,
            server=st.just(name),
            allowed=st.none() | lists,
            tools=st.lists(tool_rules, max_size=3).map(tuple),
        )
        for name in server_names
    )
)
all_rules = st.builds(
    Rules,
    gateway=st.none() | lists,
    groups=st.dictionaries(names, lists, max_size=3).map(lambda found: tuple(found.items())),
    servers=server_rules,
)
principals = st.builds(
    Principal,
    id=st.just("usr"),
    username=names,
    connection=connections,
    login=names,
    email=st.none() | addresses,
    email_verified=st.booleans(),
    groups=st.frozensets(names, max_size=2),
    provider_groups=st.frozensets(names, max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(
    rules=all_rules,
    person=principals,
    name=st.sampled_from(["delete_row", "get_row", "no", ""]),
    kind=st.sampled_from(get_args(Kind)),
)
def test_lists_show_exactly_what_may_be_used(rules: Rules, person: Principal, name: str, kind: Kind) -> None:
    compiled = Policy.compile(rules)
    rights = compiled.rights(person)
    for server in (*server_names, "unknown"):
        decision = rights.decide(server, kind, name)
        assert rights.visible(server, kind, name) == isinstance(decision, Allow)
        assert rights.decide(server, kind, name) == decision, "the memo must not change the answer"
        assert (server in rights.servers()) == rights.visible(server, "server")
        if not rights.narrows(server, kind):
            assert rights.visible(server, kind, name) == rights.visible(server, "server")
        if isinstance(decision, Allow):
            assert rights.visible(server, "server"), "narrowing never widens"
            assert compiled.admits(person), "whoever may use something may come in"
        else:
            assert decision.rule
            assert decision.reason


@settings(max_examples=200, deadline=None)
@given(rules=all_rules, person=principals, extra=tool_rules)
def test_one_more_narrowing_rule_never_allows_more(rules: Rules, person: Principal, extra: ToolRule) -> None:
    first = rules.servers[0]
    wider = Policy.compile(rules).rights(person)
    narrower = Policy.compile(
        Rules(
            gateway=rules.gateway,
            groups=rules.groups,
            servers=(
                ServerRules(server="a", allowed=first.allowed, tools=(*first.tools, extra)),
                *rules.servers[1:],
            ),
        )
    ).rights(person)
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        for name in ("delete_row", "get_row", "no"):
            assert wider.visible("a", kind, name) or not narrower.visible("a", kind, name)
