"""Who is meant by an entry of a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.model.rules import Anyone, ByEmail, ByGroup, ByLogin, ByProviderGroup, Selector
from tests.unit.config.write import faults, loaded

LOCAL = "provider: local"
GITHUB = "provider: github, client_id: a, client_secret: b"
BOTH = "providers: {local: , github: {client_id: a, client_secret: b}}"
TWO = (
    "providers: {github: {client_id: a, client_secret: b}, "
    "ghes: {type: github, base_url: 'https://g.example', client_id: a, client_secret: b}}"
)


def text(auth: str, key: str, entry: str) -> str:
    return f"""
        proxy: {{auth: {{{auth}}}}}
        groups: {{developers: []}}
        servers:
          x: {{command: prog, {key}: ['{entry}']}}
    """


@pytest.mark.parametrize(
    ("auth", "key", "entry", "expected"),
    [
        (LOCAL, "allowed_users", "alice", ByLogin("local", "alice")),
        (LOCAL, "allowed_users", "Alice", ByLogin("local", "alice")),
        (LOCAL, "allowed_users", "local:alice@example.com", ByLogin("local", "alice@example.com")),
        (LOCAL, "allowed_users", "Alice@Example.com", ByEmail("alice@example.com")),
        (LOCAL, "allowed_users", "group:developers", ByGroup("developers")),
        (LOCAL, "allowed_users", "*", Anyone()),
        (LOCAL, "users", "developers", ByGroup("developers")),
        (LOCAL, "users", "alice@example.com", ByEmail("alice@example.com")),
        (LOCAL, "users", "local:alice", ByLogin("local", "alice")),
        (LOCAL, "allowed_groups", "developers", ByGroup("developers")),
        (GITHUB, "allowed_users", "OctoCat", ByLogin("github", "octocat")),
        (GITHUB, "allowed_users", "github:octocat", ByLogin("github", "octocat")),
        (GITHUB, "allowed_users", "org:Acme", ByProviderGroup("github", "acme")),
        (GITHUB, "allowed_groups", "team:acme/Platform", ByProviderGroup("github", "acme/platform")),
        (BOTH, "allowed_users", "alice", ByLogin("local", "alice")),
        (BOTH, "allowed_users", "org:acme", ByProviderGroup("github", "acme")),
        (TWO, "allowed_users", "ghes:alice", ByLogin("ghes", "alice")),
        (TWO, "allowed_users", "ghes:team:a/b", ByProviderGroup("ghes", "a/b")),
    ],
)
def test_grammar(tmp_path: Path, auth: str, key: str, entry: str, expected: Selector) -> None:
    config = loaded(tmp_path, text(auth, key, entry))
    assert config.rules.servers[0].allowed == (expected,)
    assert config.notes == ()


@pytest.mark.parametrize(
    ("auth", "key", "entry", "fault"),
    [
        (LOCAL, "allowed_users", "a@b@c", "is not an e-mail address"),
        (LOCAL, "allowed_users", "@example.com", "is not an e-mail address"),
        (LOCAL, "allowed_users", "*@example.com", "is not an e-mail address"),
        (LOCAL, "allowed_users", "ali*", "'ali*' is not a username (patterns are not possible here)"),
        (LOCAL, "allowed_users", "acme/platform", "'acme/platform' is not a username"),
        (LOCAL, "allowed_users", "local:", "'' is not a username"),
        (LOCAL, "allowed_users", " ", "names nobody"),
        (LOCAL, "allowed_users", "a\tb", "names nobody"),
        (
            LOCAL,
            "allowed_users",
            "grop:x",
            "unknown prefix 'grop:' (did you mean 'group'?); known here: local:",
        ),
        (
            LOCAL,
            "allowed_users",
            "github:x",
            "unknown prefix 'github:'; known here: local:, group:, org:, team:",
        ),
        (LOCAL, "allowed_users", "org:acme", "no configured provider knows organisations or teams"),
        (
            LOCAL,
            "allowed_users",
            "local:org:acme",
            "local accounts have no organisations or teams; use groups",
        ),
        (LOCAL, "allowed_groups", "a@b.c", "is a person; write it under allowed_users"),
        (LOCAL, "users", "two words", "'two words' is not a group name"),
        (GITHUB, "allowed_users", "github:a@b.c", "'a@b.c' is not a username"),
        (GITHUB, "allowed_users", "team:acme", "expected team:ORGANISATION/TEAM"),
        (GITHUB, "allowed_users", "org:a/b", "expected org:ORGANISATION"),
        (
            TWO,
            "allowed_users",
            "alice",
            "which connection? There are several, write github:alice or ghes:alice",
        ),
        (
            TWO,
            "allowed_users",
            "org:acme",
            "which connection? There are several, write github:org:… or ghes:org:…",
        ),
    ],
)
def test_faults(tmp_path: Path, auth: str, key: str, entry: str, fault: str) -> None:
    (found,) = faults(tmp_path, text(auth, key, entry.replace("\t", "\\t")).replace("'a\\tb'", '"a\\tb"'))
    assert found.startswith(f"4: servers.x.{key}[0]: {fault}")


def test_absent_empty_and_written_lists_differ(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
        servers:
          absent: {command: prog}
          nobody: {command: prog, allowed_users: []}
          several: {command: prog, allowed_users: [a], allowed_groups: [g], users: [g, h]}
        """,
    )
    assert [rules.allowed for rules in config.rules.servers] == [
        None,
        (),
        (ByLogin("local", "a"), ByGroup("g"), ByGroup("h")),
    ]


def test_a_list_without_a_value_is_neither(tmp_path: Path) -> None:
    """Somebody commented the people out: neither everybody nor silently nobody."""
    (found,) = faults(tmp_path, "servers: {x: {command: prog, allowed_users: }}")
    assert "allowed_users: has no value" in found


def test_groups_of_the_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, "groups: {dev: [alice, 'a@b.c', 'group:sre'], sre: []}")
    assert config.rules.groups == (
        ("dev", (ByLogin("local", "alice"), ByEmail("a@b.c"), ByGroup("sre"))),
        ("sre", ()),
    )


def test_an_undeclared_group_is_worth_a_note_with_the_nearest_name(tmp_path: Path) -> None:
    config = loaded(tmp_path, "groups: {developers: []}\nservers: {x: {command: prog, users: [develpers]}}")
    assert config.notes == (
        "gatekit.yaml:2: servers.x.users[0]: the group 'develpers' is not declared under groups "
        "(did you mean 'developers'?); "
        "it counts only if the store has it (`gatekit groups create develpers`)",
    )


def test_a_group_needs_a_usable_name(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "groups: {'a b': []}")
    assert found == '1: groups."a b": is not a group name (letters, digits, _ . -)'


def test_narrowing_rules_keep_kind_and_order(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
        servers:
          x:
            command: prog
            users: ["*"]
            tools: {"delete_*": ["group:sre"], "*": [alice]}
            prompts: {"p": []}
            resources: {"file:///etc/*": []}
        """,
    )
    assert [(rule.kind, rule.glob, rule.allowed) for rule in config.rules.servers[0].tools] == [
        ("tool", "delete_*", (ByGroup("sre"),)),
        ("tool", "*", (ByLogin("local", "alice"),)),
        ("prompt", "p", ()),
        ("resource", "file:///etc/*", ()),
    ]
