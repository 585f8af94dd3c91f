"""Which name is the person, and which attribute says what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gatekit.errors import SamlRefused
from gatekit.identity.saml.facts import identity_of, session_key
from gatekit.identity.saml.names import EMAIL, PERSISTENT, TRANSIENT, UNSPECIFIED
from gatekit.identity.saml.response import Accepted, Name
from gatekit.model.connections import AttributeNames
from gatekit.model.people import ExternalIdentity
from tests.support.saml import IDP

ENTRA = "http://schemas.microsoft.com/identity/claims/objectidentifier"


def accepted(value: str, format: str, attributes: Mapping[str, tuple[str, ...]]) -> Accepted:
    return Accepted(
        issuer=IDP, assertion_id="_1", good_until=0.0, name=Name(value, format), attributes=attributes
    )


def identity(
    value: str = "7c", format: str = PERSISTENT, subject: str = "persistent", **attributes: str
) -> ExternalIdentity:
    given = {name: (text,) for name, text in attributes.items()}
    return identity_of(accepted(value, format, given), "corp", subject, verified=False)


def test_a_persistent_name() -> None:
    found = identity(uid="alice", mail="alice@example.com", displayName="Alice A")
    assert (found.issuer, found.subject, found.login) == (IDP, "7c", "alice")
    assert (found.email, found.email_verified) == ("alice@example.com", False)
    assert found.display_name == "Alice A"


@pytest.mark.parametrize("format", [TRANSIENT, EMAIL, UNSPECIFIED, ""])
def test_F1_other_names_are_nobody(format: str) -> None:
    """F1: An address or a name of today is given to somebody else tomorrow; only the operator may take it."""
    with pytest.raises(SamlRefused, match="not persistent"):
        identity(format=format)


def test_the_operator_may_take_a_name_that_is_not_persistent() -> None:
    found = identity("alice@example.com", EMAIL, "name_id")
    assert (found.subject, found.login, found.email) == ("alice@example.com",) * 3
    with pytest.raises(SamlRefused, match="transient"):
        identity("_x", TRANSIENT, "name_id")


def test_an_attribute_as_subject() -> None:
    given = accepted("_x", TRANSIENT, {ENTRA: ("0b7e",), "groups": ("a", "b", "x" * 300, "c\n")})
    found = identity_of(given, "corp", ENTRA, verified=True)
    assert found.subject == "0b7e"
    assert found.provider_groups == {"a", "b"}
    assert not found.email_verified, "without an address there is nothing that is verified"


@pytest.mark.parametrize("values", [(), ("a", "b"), ("",)])
def test_an_attribute_without_exactly_one_value(values: tuple[str, ...]) -> None:
    """F1: The first of several would be the sender's choice."""
    with pytest.raises(SamlRefused):
        identity_of(accepted("7c", PERSISTENT, {"id": values}), "corp", "id", verified=False)


def test_the_operator_names_other_attributes() -> None:
    said = {
        "a": ("al",),
        "b": ("al@example.com",),
        "c": ("Al",),
        "d": ("g",),
        "uid": ("x",),
        "mail": ("y@z",),
    }
    names = AttributeNames(login="a", email="b", display_name="c", groups="d")
    given = accepted("7c", PERSISTENT, said)
    found = identity_of(given, "corp", "persistent", verified=True, names=names)
    assert (found.login, found.email, found.display_name) == ("al", "al@example.com", "Al")
    assert (found.email_verified, found.provider_groups) == (True, frozenset("g"))


def test_several_addresses_are_none() -> None:
    given = accepted("7c", PERSISTENT, {"mail": ("a@example.com", "b@example.com")})
    assert identity_of(given, "corp", "persistent", verified=True).email is None


def test_sessions_are_found_by_name_and_index() -> None:
    name = Name("7c", PERSISTENT)
    assert session_key(name, "1") == session_key(Name("7c", PERSISTENT), "1")
    others = [(Name("7d", PERSISTENT), "1"), (Name("7c", EMAIL), "1"), (name, "2")]
    assert session_key(name, "1") not in {session_key(*each) for each in others}
