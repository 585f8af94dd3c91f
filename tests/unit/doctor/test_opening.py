"""Discovery, with servers whose documents are not what they should be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gatekit.doctor import ground
from gatekit.doctor.examine import endpoint
from gatekit.doctor.jar import Jar
from gatekit.doctor.line import decoded
from gatekit.doctor.opening import challenge, discover
from gatekit.doctor.table import chosen
from gatekit.doctor.walk import _registered
from gatekit.errors import ClientWouldFail
from gatekit.platform.outbound import Answer
from tests.unit.doctor.test_jar import Scripted, redirect

URL = "https://gate.example/mcp"
(PROFILE,) = chosen(("codex",))
RESOURCE: dict[str, Any] = {"resource": URL, "authorization_servers": ["https://gate.example"]}
SERVER: dict[str, Any] = {
    "issuer": "https://gate.example",
    "authorization_endpoint": "https://gate.example/authorize",
    "token_endpoint": "https://gate.example/token",
    "response_types_supported": ["code"],
    "code_challenge_methods_supported": ["S256"],
    "scopes_supported": ["offline_access", 5],
}


def document(known: dict[str, Any], **changed: object) -> Answer:
    return Answer(200, {}, msgspec.json.encode({**known, **changed}))


async def test_good_documents() -> None:
    found = await discover(Scripted(document(RESOURCE), document(SERVER)), PROFILE, URL, "")
    assert found.issuer == "https://gate.example"
    assert [each.code for each in ground.scopes(found)] == ["offline-access"]


@pytest.mark.parametrize(
    ("resource", "server"),
    [
        ({"scopes_supported": 5}, {}),
        ({"resource": "http://[x"}, {}),
        ({}, {"scopes_supported": 5}),
        ({}, {"code_challenge_methods_supported": 5}),
        ({}, {"code_challenge_methods_supported": "S256"}),
        ({}, {"token_endpoint": "http://[x"}),
    ],
)
async def test_documents_of_other_shapes(resource: dict[str, object], server: dict[str, object]) -> None:
    line = Scripted(document(RESOURCE, **resource), document(SERVER, **server))
    with pytest.raises(ClientWouldFail, match="metadata-garbled"):
        await discover(line, PROFILE, URL, "")


async def test_references_that_cannot_be_read() -> None:
    refused = Answer(401, {"www-authenticate": 'Bearer resource_metadata="http://[x"'}, b"{}")
    with pytest.raises(ClientWouldFail, match="metadata-garbled"):
        challenge(PROFILE, "POST", URL, refused)
    with pytest.raises(ClientWouldFail, match="metadata-garbled"):
        await Jar(Scripted(redirect("http://[x"))).follow(URL)
    made = document({"client_id": "a", "redirect_uris": 5})
    with pytest.raises(ClientWouldFail, match="metadata-garbled"):
        _registered(PROFILE, f"{URL}/register", made, PROFILE.redirects[0])
    with pytest.raises(ClientWouldFail):
        endpoint("http://[x")


def test_json_without_a_bottom_is_no_document() -> None:
    assert decoded(Answer(200, {}, b'{"a":' + b"[" * 100_000)) is None
