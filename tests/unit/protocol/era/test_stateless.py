"""The stateless dialect, with the official ladder and models as oracles."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS, InboundLadderRejection, classify_inbound_request
from mcp_types import methods as official

from gatekit.errors import ProtocolFault
from gatekit.protocol import headers as mirrored
from gatekit.protocol.era import stateless
from gatekit.protocol.era.detect import META_VERSION
from gatekit.protocol.era.stateless import META_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL
from gatekit.protocol.jsonrpc import Notification, Request
from gatekit.protocol.methods import METHODS

VERSION = "2026-07-28"
ENVELOPE: dict[str, Any] = {META_VERSION: VERSION, META_CAPABILITIES: {}}
INFO = {"name": "srv", "version": "1"}


def _request(method: str = "tools/call", meta: Any = None, **params: Any) -> Request:
    if method == "tools/call":
        params.setdefault("name", "echo")
    return Request(5, method, {**params, "_meta": ENVELOPE if meta is None else meta})


def _headers(message: Request) -> dict[bytes, list[bytes]]:
    meta = message.params["_meta"]
    version = meta.get(META_VERSION, VERSION) if isinstance(meta, dict) else VERSION
    fields = mirrored.mirror(message.method, message.params, str(version))
    return {name.lower().encode(): [value.encode()] for name, value in fields.items()}


def _refusal(message: Request, headers: dict[bytes, list[bytes]] | None = None) -> ProtocolFault:
    with pytest.raises(ProtocolFault) as caught:
        stateless.read(message, _headers(message) if headers is None else headers)
    assert caught.value.request_id == 5
    return caught.value


def test_the_envelope_is_taken_out_and_the_rest_stays() -> None:
    meta = {
        **ENVELOPE,
        META_CAPABILITIES: {"sampling": {}},
        META_CLIENT_INFO: {"name": "c", "version": "2"},
        META_LOG_LEVEL: "info",
        "progressToken": 7,
        "traceparent": "00-1-2-01",
        "com.example/x": {"y": 1},
    }
    message = _request(meta=meta, arguments={"a": 1}, requestState="s", inputResponses={})
    client, params = stateless.read(message, _headers(message))
    assert (client.era, client.version, client.log_level) == ("stateless", VERSION, "info")
    assert client.capabilities == {"sampling": {}}
    assert client.info == {"name": "c", "version": "2"}
    assert params == {
        "name": "echo",
        "arguments": {"a": 1},
        "requestState": "s",
        "inputResponses": {},
        "_meta": {"progressToken": 7, "traceparent": "00-1-2-01", "com.example/x": {"y": 1}},
    }
    assert META_VERSION in message.params["_meta"]


def test_an_emptied_meta_disappears() -> None:
    assert stateless.read(_request("tools/list"), None)[1] == {}


_meta = st.fixed_dictionaries(
    {},
    optional={
        META_VERSION: st.sampled_from([VERSION, "2025-11-25", "2027-01-01", 7, None]),
        META_CAPABILITIES: st.just({}),
        META_CLIENT_INFO: st.sampled_from([INFO, None, "x"]),
    },
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(_meta, st.sampled_from([None, [], "x"])),
    st.sampled_from(["tools/call", "tools/list", "resources/read", "server/discover"]),
    st.fixed_dictionaries({}, optional={"name": st.just("echo"), "uri": st.just("u:é")}),
    st.sampled_from(["right", "none", "no method", "other name", "other version"]),
)
def test_the_ladder_agrees_with_the_official_one(
    meta: Any, method: str, params: dict[str, Any], spoilt: str
) -> None:
    message = Request(5, method, {**params, "_meta": meta})
    headers = _headers(message)
    if spoilt == "no method":
        del headers[b"mcp-method"]
    elif spoilt == "other name":
        headers[b"mcp-name"] = [b"other"]
    elif spoilt == "other version":
        headers[b"mcp-protocol-version"] = [b"2020-01-01"]
    given_headers = None if spoilt == "none" else headers
    theirs = classify_inbound_request(
        {"method": method, "params": message.params},
        headers=None if given_headers is None else {k.decode(): v[0].decode() for k, v in headers.items()},
    )
    if isinstance(theirs, InboundLadderRejection):
        with pytest.raises(ProtocolFault) as caught:
            stateless.read(message, given_headers)
        assert caught.value.code == theirs.code
        assert caught.value.status == ERROR_CODE_HTTP_STATUS[theirs.code]
        assert caught.value.data == theirs.data
    else:
        client, _ = stateless.read(message, given_headers)
        assert client.version == theirs.protocol_version


@pytest.mark.parametrize("capabilities", [None, [], "x", 1])
def test_capabilities_must_be_an_object(capabilities: Any) -> None:
    assert _refusal(_request(meta={**ENVELOPE, META_CAPABILITIES: capabilities})).code == -32602


@pytest.mark.parametrize("level", ["loud", 3, []])
def test_the_log_level_is_one_of_eight(level: Any) -> None:
    assert _refusal(_request(meta={**ENVELOPE, META_LOG_LEVEL: level})).code == -32602


@pytest.mark.parametrize("info", [None, "x", 3, []])
def test_odd_client_info_counts_as_absent(info: Any) -> None:
    assert stateless.read(_request(meta={**ENVELOPE, META_CLIENT_INFO: info}), None)[0].info == {}


@pytest.mark.parametrize("method", ["vendor/thing", "tasks/get", "resources/directory/read"])
def test_unknown_methods_pass(method: str) -> None:
    message = _request(method, taskId="t")
    assert stateless.read(message, _headers(message))[0].version == VERSION


def test_a_doubled_header_carries_the_request_id() -> None:
    message = _request()
    headers = _headers(message)
    headers[b"mcp-name"] *= 2
    assert _refusal(message, headers).code == -32020


def test_notifications() -> None:
    version_header = {b"mcp-protocol-version": [VERSION.encode()], b"mcp-method": [b"notifications/x"]}
    message = Notification("notifications/x", {"a": 1, "_meta": ENVELOPE})
    assert stateless.read_notification(message, version_header)[1] == {"a": 1}
    assert stateless.read_notification(Notification("notifications/x", {}), version_header)[1] == {}
    for params, headers in (
        ({"_meta": {META_VERSION: "2027-01-01"}}, None),
        ({}, {b"mcp-protocol-version": [b"2027-01-01"]}),
        ({}, {b"mcp-protocol-version": [VERSION.encode()] * 2}),
        ({"_meta": ENVELOPE}, {b"mcp-protocol-version": [b"2025-11-25"]}),
    ):
        with pytest.raises(ProtocolFault):
            stateless.read_notification(Notification("notifications/x", params), headers)


# -- results -----------------------------------------------------------------------------------------------

BODIES: dict[str, dict[str, Any]] = {
    "tools/list": {"tools": [{"name": "t", "inputSchema": {"type": "object"}}], "nextCursor": "c"},
    "prompts/list": {"prompts": []},
    "resources/list": {"resources": []},
    "resources/templates/list": {"resourceTemplates": []},
    "resources/read": {"contents": [{"uri": "u:x", "text": "t"}]},
    "tools/call": {"content": [{"type": "text", "text": "t"}], "structuredContent": [1]},
    "prompts/get": {"messages": []},
    "completion/complete": {"completion": {"values": []}},
}


@pytest.mark.parametrize("method", BODIES)
def test_a_result_of_the_other_era_becomes_valid(method: str) -> None:
    before = dict(BODIES[method])
    shaped = stateless.result(method, before, server_info=INFO)
    official.validate_server_result(method, VERSION, shaped)
    assert shaped["resultType"] == "complete"
    assert shaped["_meta"][stateless.META_SERVER_INFO] == INFO
    assert ("cacheScope" in shaped, "ttlMs" in shaped) == (METHODS[method].cacheable,) * 2
    assert {key: shaped[key] for key in before} == before == BODIES[method]


def test_a_hint_of_the_upstream_stays_but_never_public() -> None:
    body = {"tools": [], "resultType": "complete", "ttlMs": 5000, "cacheScope": "public", "_meta": {"a/b": 1}}
    shaped = stateless.result("tools/list", body, server_info=INFO)
    assert (shaped["ttlMs"], shaped["cacheScope"]) == (5000, "private")
    assert shaped["_meta"] == {"a/b": 1, stateless.META_SERVER_INFO: INFO}
    assert body["cacheScope"] == "public"


@pytest.mark.parametrize("ttl", [-1, 1.5, "5", None, True])
def test_a_senseless_ttl_counts_as_none(ttl: Any) -> None:
    assert stateless.result("tools/list", {"tools": [], "ttlMs": ttl}, server_info=None)["ttlMs"] == 0


def test_a_question_carries_no_cache_hint() -> None:
    body = {"resultType": "input_required", "requestState": "s", "ttlMs": 1, "cacheScope": "public"}
    shaped = stateless.result("resources/read", body, server_info=None)
    assert shaped == {"resultType": "input_required", "requestState": "s"}


def test_vendor_fields_survive() -> None:
    assert stateless.result("vendor/thing", {"x": {"y": 1}}, server_info=None) == {
        "x": {"y": 1},
        "resultType": "complete",
    }


def test_discover_result() -> None:
    found = stateless.discover_result(
        INFO, {"tools": {"listChanged": True}, "extensions": {"a/b": {}}}, "Use it."
    )
    official.validate_server_result("server/discover", VERSION, found)
    assert found["supportedVersions"] == [VERSION]
    assert found["capabilities"] == {"tools": {"listChanged": True}, "extensions": {"a/b": {}}}
    assert found["instructions"] == "Use it."
    assert "instructions" not in stateless.discover_result(INFO, {}, None)


def test_request_meta_makes_requests_that_the_official_models_accept() -> None:
    meta = stateless.request_meta(VERSION, INFO, {"elicitation": {}}, "warning")
    official.validate_client_request("tools/call", VERSION, {"name": "x", "_meta": meta})
    assert (
        stateless.read(Request(1, "tools/call", {"name": "x", "_meta": meta}), None)[0].log_level == "warning"
    )
    assert stateless.request_meta(None, None, {}, None) == {META_CAPABILITIES: {}}


# -- errors ------------------------------------------------------------------------------------------------


def test_faults_without_counterpart() -> None:
    assert stateless.fault(-32002, "no", {"uri": "u:x"}) == (-32602, "no", {"uri": "u:x"}, 400)
    assert stateless.fault(-32042, "open", {"elicitations": []}) == (-32603, "open", None, 200)
    assert stateless.fault(-32000, "old", 1) == (-32603, "old", 1, 200)
    assert stateless.fault(-32019, "old") == (-32603, "old", None, 200)
    assert stateless.fault(-32601, "no") == (-32601, "no", None, 404)
    assert stateless.fault(-32021, "no", {"requiredCapabilities": {}})[3] == 400
    assert stateless.fault(-31001, "down") == (-31001, "down", None, 200)
    assert stateless.fault(12345, "own", "data") == (12345, "own", "data", 200)


@pytest.mark.parametrize("code", [-32020, -32022, -32700])
def test_what_went_wrong_on_our_own_hop_is_not_the_clients(code: int) -> None:
    assert stateless.fault(code, "x", {"supported": []}) == (-32603, "x", None, 200)


@given(st.integers(-32800, -31900))
def test_no_retired_code_is_ever_sent(code: int) -> None:
    sent = stateless.fault(code, "x")[0]
    assert sent not in range(-32019, -31999)
    assert sent not in (-32002, -32042)
