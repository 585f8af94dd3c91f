"""``gatekit connections``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gatekit.cli import cli

FILE = """
data_dir: data
proxy:
  auth:
    providers:
      local:
      acme:
        type: oidc
        issuer: https://sso.example/realms/acme
        client_id: gatekit
        client_secret: hush-hush
        domains: [example.com]
        create: false
        groups: {map: {Engineering: developers}}
servers: {}
"""
ADA = {
    "sub": "42",
    "email": "ada@example.com",
    "email_verified": True,
    "groups": ["Engineering"],
    "name": "Ada",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "gatekit.yaml").write_text(FILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["connections", *arguments])


def preview(place: Path, **changes: object) -> dict[str, object]:
    (place / "ada.json").write_text(json.dumps({**ADA, **changes}))
    result = run("test", "acme", "--claims", "ada.json", "--json")
    found: dict[str, object] = json.loads(result.stdout)
    assert result.exit_code == (0 if found["ok"] else 1)
    return found


def test_a_preview_says_what_a_sign_in_becomes(place: Path) -> None:
    found = preview(place)
    assert found["groups"] == ["developers"]
    assert found["named in lists as"] == "acme:42"
    assert "create: false" in str(found["somebody new"])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"email_verified": False}, "no verified address"),
        ({"email": "ada@evil.example"}, "no verified address"),
        ({"iss": "https://evil.example"}, "is not the one of this connection"),
        ({"sub": ""}, "sub"),
    ],
)
def test_a_preview_says_why_somebody_is_refused(place: Path, changes: dict[str, object], why: str) -> None:
    found = preview(place, **changes)
    assert why in str(found["refused"])


def test_a_connection_of_the_file_is_changed_there(place: Path) -> None:
    (place / "e.yaml").write_text("type: oidc\nissuer: https://x.example\nclient_id: a\nclient_secret: b\n")
    for command in (("disable", "acme"), ("remove", "acme", "--yes"), ("add", "acme", "--file", "e.yaml")):
        result = run(*command)
        assert result.exit_code != 0
        assert "configuration file" in str(result.exception) + result.output


def test_what_is_wrong_with_an_entry_is_said_and_nothing_is_kept(place: Path) -> None:
    (place / "e.yaml").write_text("type: oidc\nissuer: http://x.example\nclient_id: a\nclient_secret: b\n")
    result = run("add", "other", "--file", "e.yaml")
    assert "must be https" in str(getattr(result.exception, "faults", ""))
    assert "other" not in run("list").stdout


def test_show_masks_secrets_and_names_the_addresses(place: Path) -> None:
    shown = run("show", "acme").stdout
    assert "hush-hush" not in shown
    assert "/callback/acme" in shown
    assert "/backchannel-logout/acme" in shown


def test_nothing_is_known_of_others(place: Path) -> None:
    for command in (("show", "x"), ("test", "x"), ("enable", "x")):
        assert run(*command).exit_code != 0
