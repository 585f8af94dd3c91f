"""Connections to LDAP directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.show import describe
from gatekit.model.directory import GroupSearch, LdapConnection, UserSearch
from tests.unit.config.write import faults, loaded

GOOD = """
proxy:
  auth:
    providers:
      corp:
        type: ldap
        urls: [ldaps://ldap.example.com]
        bind_dn: cn=gatekit,dc=example,dc=com
        bind_password: hunter2-hunter2
        users: {base: "ou=people,dc=example,dc=com"}
servers: {echo: {command: cat, allowed_users: ["corp:alice"]}}
"""


def corp(folder: Path, text: str) -> LdapConnection:
    found = loaded(folder, text).auth.connections[0]
    assert isinstance(found, LdapConnection)
    return found


def test_a_directory_with_little_written(tmp_path: Path) -> None:
    found = corp(tmp_path, GOOD)
    assert found.users == UserSearch(base="ou=people,dc=example,dc=com")
    assert found.group_search is None
    assert found.start_tls
    assert not found.verified_email
    assert "hunter2" not in repr(found)


def test_active_directory(tmp_path: Path) -> None:
    found = corp(tmp_path, GOOD.replace("type: ldap", "type: ldap\n        directory: active_directory") + "")
    assert found.users.subject == "objectGUID"
    assert "sAMAccountName={login}" in found.users.filter
    more = GOOD.replace(
        "users: {base",
        'directory: active_directory\n        group_search: {base: "ou=g"}\n        users: {base',
    )
    assert corp(tmp_path, more).group_search == GroupSearch(
        base="ou=g", filter="(&(objectClass=group)(member={dn}))", nesting="chain"
    )


def test_names_of_attributes_are_those_of_map(tmp_path: Path) -> None:
    text = GOOD.replace("users: {base", "map: {login: cn, email: rfc822Mailbox}\n        users: {base")
    users = corp(tmp_path, text).users
    assert (users.login, users.email, users.display_name) == ("cn", "rfc822Mailbox", "cn")


def test_the_password_is_not_shown(tmp_path: Path) -> None:
    found = describe(loaded(tmp_path, GOOD))
    entry = found["proxy"]["auth"]["providers"]["corp"]
    assert entry["bind_password"] == "***"
    assert "hunter2" not in str(found)
    assert entry["users"]["base"] == "ou=people,dc=example,dc=com"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("urls: [ldaps://ldap.example.com]", "", "urls: is required"),
        ("ldaps://ldap.example.com", "ldap.example.com", "expected ldaps://HOST"),
        ("ldaps://ldap.example.com", "http://ldap.example.com", "expected ldaps://HOST"),
        ("ldaps://ldap.example.com", "ldaps://ldap.example.com/dc=example", "expected ldaps://HOST"),
        ("ldaps://ldap.example.com", "ldaps://a:b@ldap.example.com", "must not hold a name or a password"),
        ("ldaps://ldap.example.com", "ldaps://ldap.example.com:x", "is not an address"),
        (
            "urls: [ldaps://ldap.example.com]",
            "urls: [ldap://ldap.example.com]\n        start_tls: false",
            "would send passwords over the network in the clear",
        ),
        ("        bind_password: hunter2-hunter2\n", "", "bind_password: is required beside the other"),
        ("        bind_dn: cn=gatekit,dc=example,dc=com\n", "", "bind_dn: is required beside the other"),
        ('{base: "ou=people,dc=example,dc=com"}', "{}", "users.base: is required"),
        ("{base:", '{filter: "(uid=x)", base:', "must hold {login}"),
        ("{base:", '{filter: "(uid={login}", base:', "parentheses do not match"),
        ("{base:", '{subject: "entry UUID", base:', "is not the name of an attribute"),
        ("users: {base", "map: {groups: memberOf}\n        users: {base", "groups come from `group_search`"),
        ("users: {base", "map: {login: 'a)(b'}\n        users: {base", "is not the name of an attribute"),
        ("users: {", "group_search: {name: cn}\n        users: {", "group_search.base: is required"),
        ("users: {base", "client_id: x\n        users: {base", "is not used by `type: ldap`"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    assert any(expected in line for line in faults(tmp_path, GOOD.replace(old, new, 1))), faults(
        tmp_path, GOOD.replace(old, new, 1)
    )
