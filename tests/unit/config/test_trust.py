"""``proxy.auth.external`` and ``proxy.auth.identity_assertions``: what they mean, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gatekit.config.checks import warnings
from gatekit.config.model import Config
from gatekit.config.show import describe
from gatekit.model.rules import ByEmail, ByLogin, ByProviderGroup
from gatekit.model.trust import ALGORITHMS
from gatekit.platform.foreign import ASYMMETRIC
from tests.unit.config.write import faults, loaded

DOCUMENT = (Path(__file__).parents[3] / "docs" / "external.md").read_text(encoding="utf-8")
ISSUER = "https://login.example.com/realms/acme"
ENTRY = f"{{issuer: {ISSUER}}}"
SERVERS = (
    "servers: {x: {command: ls, users: ['idp:group:/Acme/Eng'], allowed_users: [bob, 'idp:ann@example.com']}}"
)


def external(folder: Path, keys: str = "", servers: str = SERVERS) -> Config:
    return loaded(folder, f"proxy: {{auth: {{external: {{name: idp, issuer: {ISSUER}{keys}}}}}}}\n{servers}")


def wrong(folder: Path, auth: str) -> str:
    return "\n".join(faults(folder, f"proxy: {{auth: {{{auth}}}}}\n{SERVERS.replace('idp:', 'local:')}"))


def test_the_least_that_must_be_said(tmp_path: Path) -> None:
    config = external(tmp_path)
    assert config.external is not None
    assert config.external.issuer == ISSUER
    assert config.external.token_types == ("at+jwt",)
    assert config.external.claims.email_verified == "email_verified"
    assert config.auth.connections == ()
    assert config.auth.default_connection == "idp"


def test_lists_name_its_people(tmp_path: Path) -> None:
    (rules,) = external(tmp_path).rules.servers
    assert rules.allowed == (
        ByLogin("idp", "bob"),
        ByLogin("idp", "ann@example.com"),
        ByProviderGroup("idp", "/acme/eng"),
    )
    (rules,) = external(
        tmp_path, servers="servers: {x: {command: ls, allowed_users: [c@d.example]}}"
    ).rules.servers
    assert rules.allowed == (ByEmail("c@d.example"),)


def test_what_is_written_and_what_it_means(tmp_path: Path) -> None:
    keys = (
        ", token_types: [JWT, application/at+jwt, none], required_scopes: [mcp], verified_email: true"
        ", introspection: {client_id: g, client_secret: very-secret, endpoint: 'http://127.0.0.1:9/i?p=1'}"
    )
    found = external(tmp_path, keys).external
    assert found is not None
    assert found.token_types == ("jwt", "at+jwt", "")
    assert found.scopes == ("mcp",)
    assert found.claims.email_verified == ""
    assert found.introspection is not None
    assert "very-secret" not in repr(found)


def test_the_secret_is_never_shown(tmp_path: Path) -> None:
    shown = describe(external(tmp_path, ", introspection: {client_id: g, client_secret: very-secret}"))
    assert "very-secret" not in json.dumps(shown)
    assert shown["proxy"]["auth"]["external"]["issuer"] == ISSUER


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ("issuer: 'http://login.example.com'", "must be https"),
        ("issuer: login.example.com", "expected a URL"),
        ("issuer: 'https://login.example.com:99999/'", "cannot be read"),
        ("issuer: 'https://login.example.com/?a=b'", "must not hold a query"),
        ("issuer: 'https://u@login.example.com/'", "must not hold a user name"),
        ("issuer: 'https://login.example.com/#x'", "must not hold a user name or fragment"),
        (f"issuer: {ISSUER}, jwks_uri: 'http://login.example.com/jwks'", "jwks_uri: must be https"),
        (f"issuer: {ISSUER}, algorithms: [HS256]", "unknown algorithm"),
        (f"issuer: {ISSUER}, algorithms: [none]", "unknown algorithm"),
        (f"issuer: {ISSUER}, algorithms: []", "must name at least one"),
        (f"issuer: {ISSUER}, token_types: [text/html]", "expected a token type"),
        (f"issuer: {ISSUER}, clock_skew: 1h", "must be from 0s to 5m"),
        (f"issuer: {ISSUER}, name: client", "cannot name a connection"),
        (f"issuer: {ISSUER}, name: local", "cannot name a connection"),
        (f"issuer: {ISSUER}, name: group", "cannot name a connection"),
        (f"issuer: {ISSUER}, introspection: {{client_id: g}}", "client_secret: is required"),
        ("name: idp", "issuer: is required"),
    ],
)
def test_faults(tmp_path: Path, keys: str, fault: str) -> None:
    assert fault in wrong(tmp_path, f"external: {{{keys}}}")


@pytest.mark.parametrize("more", ["provider: local", "providers: {local: {}}"])
def test_people_sign_in_at_one_place(tmp_path: Path, more: str) -> None:
    assert "excludes `external`" in wrong(tmp_path, f"external: {ENTRY}, {more}")


def test_no_connection_may_be_taken_for_a_client(tmp_path: Path) -> None:
    """``client:ci-bot`` in a list is the client of that name, and nobody's login anywhere."""
    entry = "client: {type: github, client_id: a, client_secret: b}"
    assert "cannot be the name of a connection" in wrong(tmp_path, f"providers: {{local: {{}}, {entry}}}")


def test_identity_assertions(tmp_path: Path) -> None:
    text = f"proxy: {{auth: {{identity_assertions: {{idp: {{issuer: {ISSUER}, max_age: 2m}}}}}}}}\n{SERVERS}"
    config = loaded(tmp_path, text.replace("[bob,", "[local:bob,"))
    (entry,) = config.assertions
    assert (entry.name, entry.issuer, entry.longest) == ("idp", ISSUER, 120)
    assert config.auth.default_connection == "local"
    assert describe(config)["proxy"]["auth"]["identity_assertions"]["idp"]["max_age"] == "2m"


@pytest.mark.parametrize(
    ("auth", "fault"),
    [
        (f"identity_assertions: {{client: {ENTRY}}}", "cannot name a connection"),
        (
            f"identity_assertions: {{a: {ENTRY}, b: {ENTRY}}}",
            "stands in two entries",
        ),
        (f"external: {ENTRY}, identity_assertions: {{a: {ENTRY}}}", "identity_assertions: is about"),
        (f"external: {ENTRY}, clients: {{bot: {{secret: {'s' * 30}}}}}", "clients: is about"),
        (
            f"providers: {{local: {{}}, github: {{client_id: a, client_secret: b}}}}, "
            f"identity_assertions: {{github: {ENTRY}}}",
            "is the name of a provider",
        ),
    ],
)
def test_faults_of_identity_assertions(tmp_path: Path, auth: str, fault: str) -> None:
    assert fault in wrong(tmp_path, auth)


def test_the_algorithms_are_those_that_are_implemented() -> None:
    assert frozenset(ALGORITHMS) == ASYMMETRIC


def test_warnings(tmp_path: Path) -> None:
    everybody = "servers: {x: {command: ls, allowed_users: ['*']}}"
    environ = {"PATH": "/usr/bin:/bin"}
    said = "\n".join(warnings(external(tmp_path, ", token_types: [JWT]", everybody), environ))
    assert "name required_scopes" in said
    assert f"everybody whom {ISSUER} knows may come in" in said
    sound = ", token_types: [JWT], required_scopes: [mcp], unknown_people: refuse"
    assert warnings(external(tmp_path, sound, everybody), environ) == ()


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_examples_of_the_page_load(tmp_path: Path, text: str) -> None:
    """docs/external.md."""
    environ = dict.fromkeys(
        ("INTROSPECTION_SECRET", "OFFICE_AGENT_SECRET", "ACME_SECRET"), "a secret of some length"
    )
    assert faults(tmp_path, text, environ) == ()
