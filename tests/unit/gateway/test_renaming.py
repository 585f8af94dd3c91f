"""Results behind a view: what names no resource is passed on as it came, everything else is renamed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gatekit.gateway.outcomes import renamed
from gatekit.gateway.router import Target
from gatekit.gateway.views import Everything
from gatekit.model.access import Access
from gatekit.model.call import Call, ClientSide, Large, Pieces, Result
from gatekit.model.server import Server
from tests.unit.gateway.rig import person

ACCESS = Access(
    principal=person("alice"), client_id="c", client_name="", credential="access_token", credential_id="j"
)
CLIENT = ClientSide(era="handshake", version="2025-11-25", capabilities={}, info={})
LINK = '{"content":[{"type":"resource_link","uri":"u:1","name":"x"}],"big":9007199254740993}'
TEXT = '{"content":[{"type":"text","text":"a resource u:1"}],"odd":1e400}'


def shown(method: str, body: Any) -> Any:
    call = Call(id=1, method=method, params={}, server="", access=ACCESS, client=CLIENT)
    target = Target(Server(name="n", command=("x",)), "tool", "t", {}, Everything(), "n__t")
    outcome = renamed(call, target, Result(body))
    assert isinstance(outcome, Result)
    return outcome.body


def large(text: str, cut: int) -> Large:
    data = text.encode()
    parts = (data[:cut], data[cut:])
    return Large(Pieces(parts), frozenset(("content",)), False, "")


def test_what_names_no_resource_is_not_read() -> None:
    body = Raw(TEXT.encode())
    assert shown("tools/call", body) is body
    assert shown("prompts/get", body) is body
    for method in ("completion/complete", "resources/subscribe"):
        body = Raw(LINK.encode())
        assert shown(method, body) is body
    assert isinstance(shown("tools/call", large(TEXT, 20)), Large)


@pytest.mark.parametrize(
    "word", ["resource_link", "\\u0072esource_link", "resourc\\u0065_link", "resource\\u005flink"]
)
def test_a_link_is_found_however_it_is_spelled(word: str) -> None:
    found = shown("tools/call", Raw(LINK.replace("resource_link", word).encode()))
    assert found["content"][0]["uri"] == "gatekit:n/u:1"
    assert found["big"] == 9007199254740993


@pytest.mark.parametrize("cut", range(len(LINK)))
def test_and_wherever_a_large_result_is_cut(cut: int) -> None:
    assert shown("tools/call", large(LINK, cut))["content"][0]["uri"] == "gatekit:n/u:1"


def test_an_embedded_resource_too() -> None:
    body = json.dumps({"content": [{"type": "resource", "resource": {"uri": "u:1", "text": ""}}]})
    assert shown("tools/call", Raw(body.encode()))["content"][0]["resource"]["uri"] == "gatekit:n/u:1"
