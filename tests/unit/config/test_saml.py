"""``type: saml``: what may be written, and what is worth a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.checks import warnings
from gatekit.config.model import SamlConnection
from gatekit.config.show import describe
from tests.support.saml import keys, metadata
from tests.unit.config.write import faults, loaded

ADDRESS = "metadata: 'https://idp.example.com/m'"


def saml(written: str) -> str:
    return f"proxy: {{auth: {{providers: {{corp: {{type: saml, {written}}}}}}}}}"


def test_a_connection(tmp_path: Path) -> None:
    config = loaded(tmp_path, saml(f"{ADDRESS}, subject: uid, title: Corp, authn_contexts: [a, b]"))
    [connection] = config.auth.connections
    assert isinstance(connection, SamlConnection)
    assert connection.metadata == "https://idp.example.com/m"
    assert connection.subject == "uid"
    assert connection.authn_contexts == ("a", "b")
    assert connection.sign_requests
    assert not connection.idp_initiated


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("title: x", "metadata: is required"),
        ("metadata: idp.xml", "metadata: expected an address"),
        ("metadata: 'http://idp.example.com/m'", "corp.metadata: "),
        ("metadata: 'file:///etc/passwd'", "corp.metadata: "),
        (f"{ADDRESS}, metadata_certificate: abc", "metadata_certificate: must be a certificate"),
        (f"{ADDRESS}, subject: ''", "subject: must not be empty"),
        (f"{ADDRESS}, entity_id: ' x'", "entity_id: is too long"),
        (f"{ADDRESS}, client_id: x", "client_id: is not used by `type: saml`"),
    ],
)
def test_what_is_refused(tmp_path: Path, written: str, fault: str) -> None:
    found = faults(tmp_path, saml(written))
    assert any(fault in line for line in found), found


def words(tmp_path: Path, document: bytes, more: str = "") -> str:
    (tmp_path / "idp.xml").write_bytes(document)
    return "\n".join(warnings(loaded(tmp_path, saml("metadata: '${file:idp.xml}'" + more)), {}))


def test_what_is_worth_a_word(tmp_path: Path) -> None:
    assert "corp: nobody can sign in: saml metadata: 0 signing" in words(tmp_path, metadata([]))
    assert "corp: nobody can sign in: saml xml" in words(tmp_path, b"<a>")
    ended = metadata([keys("idp")], extra=' validUntil="2020-01-01T00:00:00Z"')
    assert "corp: nobody can sign in: saml metadata: the metadata has expired" in words(tmp_path, ended)
    assert "corp" not in words(tmp_path, metadata([keys("idp")]))
    assert "a link can sign somebody in" in words(tmp_path, metadata([keys("idp")]), ", idp_initiated: true")


def test_a_document_is_not_printed(tmp_path: Path) -> None:
    (tmp_path / "idp.xml").write_bytes(metadata([keys("idp")]))
    config = loaded(tmp_path, saml("metadata: '${file:idp.xml}'"))
    assert "EntityDescriptor" not in str(describe(config))
