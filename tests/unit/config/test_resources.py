"""``proxy.auth.resources``: what is a resource server elsewhere, and what cannot be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.load import load
from gatekit.config.show import describe
from gatekit.errors import ConfigError
from gatekit.platform.vault import token_hash

SECRET = "a secret of thirty-two characters"
GOOD = f"""
proxy:
  public_url: https://gate.example.com
  auth:
    allowed_users: [alice]
    resources:
      reports:
        identifier: https://reports.example.com/api
        title: Reports
        scopes: [reports:read, reports:write, reports:read]
        introspection_secret: {SECRET}
      ledger: {{identifier: "urn:example:ledger", allowed_users: [bob]}}
"""


def loaded(folder: Path, text: str = GOOD) -> object:
    (folder / "gatekit.yaml").write_text(text, encoding="utf-8")
    return load(folder / "gatekit.yaml")


def test_what_is_written_is_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "gatekit.yaml").write_text(GOOD, encoding="utf-8")
    config = load(tmp_path / "gatekit.yaml")
    reports, ledger = config.resources
    assert (reports.name, reports.uri, reports.title) == (
        "reports",
        "https://reports.example.com/api",
        "Reports",
    )
    assert reports.scopes == ("reports:read", "reports:write")
    assert (reports.auth_method, reports.secret_hash) == ("client_secret_basic", token_hash(SECRET))
    assert (ledger.title, ledger.auth_method, ledger.secret_hash) == ("ledger", "none", None)
    assert [rules.allowed is None for rules in config.rules.resources] == [True, False]
    assert config.rules.servers == ()
    shown = str(describe(config))
    assert "https://reports.example.com/api" in shown
    assert SECRET not in shown
    assert SECRET not in repr(config)
    assert token_hash(SECRET) not in shown


@pytest.mark.parametrize(
    ("identifier", "fault"),
    [
        ("reports", "absolute URI"),
        ("/api", "absolute URI"),
        ("https://reports.example.com/#api", "absolute URI"),
        ("https://reports.example.com/a b", "absolute URI"),
        ("https://reports.example.com/api?x=1", "query"),
        ("https://user@reports.example.com/", "user name"),
        ("https://gate.example.com", "Gatekit itself"),
        ("https://gate.example.com/", "Gatekit itself"),
        ("https://gate.example.com/mcp", "Gatekit itself"),
        ("https://gate.example.com:443/s/files/mcp", "Gatekit itself"),
        ("https://GATE.example.com/s/files/mcp", "Gatekit itself"),
        ("https://[::1", "not a URL"),
        ("urn:example:LEDGER", "another one"),
    ],
)
def test_identifiers_that_cannot_be(tmp_path: Path, identifier: str, fault: str) -> None:
    text = GOOD.replace("https://reports.example.com/api", f'"{identifier}"')
    with pytest.raises(ConfigError, match=fault):
        loaded(tmp_path, text)


@pytest.mark.parametrize(
    ("written", "instead", "fault"),
    [
        (SECRET, "short", "too short"),
        (
            SECRET,
            f"{SECRET}\n        introspection_jwks_uri: https://reports.example.com/jwks",
            "either a secret",
        ),
        (f"introspection_secret: {SECRET}", "introspection_jwks_uri: http://reports.example.com/", "https"),
        (
            "    allowed_users: [alice]\n",
            "    allowed_users: [alice]\n    external: {name: idp, issuer: https://idp.example.com}\n",
            "issues the tokens",
        ),
        ("reports:read, ", '"a b", ', "not a scope"),
        ("reports:read, ", "openid, ", "meaning of its own"),
        ("reports:read, ", '"mcp:call", ', "meaning of its own"),
        ("      ledger: {", "      Reports: {", "there is a server 'reports' already"),
        ("      ledger: {", "      a/b: {", "cannot be a server's name"),
    ],
)
def test_other_faults(tmp_path: Path, written: str, instead: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        loaded(tmp_path, GOOD.replace(written, instead, 1))


def test_one_identifier_cannot_be_two_resources_behind_an_alias(tmp_path: Path) -> None:
    """The very same text, which is what YAML makes of an alias."""
    text = GOOD.replace(
        "identifier: https://reports.example.com/api", "identifier: &it https://reports.example.com/api"
    )
    text = text.replace('"urn:example:ledger"', "*it ")
    assert "*it" in text
    assert "&it" in text
    with pytest.raises(ConfigError, match="another one"):
        loaded(tmp_path, text)


def test_keys_instead_of_a_secret(tmp_path: Path) -> None:
    uri = "https://reports.example.com/jwks"
    text = GOOD.replace(f"introspection_secret: {SECRET}", f"introspection_jwks_uri: {uri}")
    (tmp_path / "gatekit.yaml").write_text(text, encoding="utf-8")
    reports, _ = load(tmp_path / "gatekit.yaml").resources
    assert (reports.auth_method, reports.jwks_uri, reports.secret_hash) == ("private_key_jwt", uri, None)


def test_identifiers_below_our_own_address_may_be_others(tmp_path: Path) -> None:
    """One reverse proxy, several programs behind it."""
    text = GOOD.replace("https://reports.example.com/api", "https://gate.example.com/reports")
    assert loaded(tmp_path, text)
