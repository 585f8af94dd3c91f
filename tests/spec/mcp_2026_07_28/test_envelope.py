"""MCP 2026-07-28, base protocol: one test per MUST that is decided without I/O."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.errors import ProtocolFault
from gatekit.protocol import headers as mirrored
from gatekit.protocol.era import stateless
from gatekit.protocol.era.detect import META_VERSION, detect
from gatekit.protocol.jsonrpc import Request
from gatekit.protocol.methods import METHODS

VERSION = "2026-07-28"
ENVELOPE: dict[str, Any] = {META_VERSION: VERSION, stateless.META_CAPABILITIES: {}}


def _wire(message: Request, version: str = VERSION) -> dict[bytes, list[bytes]]:
    fields = mirrored.mirror(message.method, message.params, version)
    return {name.lower().encode(): [value.encode()] for name, value in fields.items()}


def _fault(message: Request, version: str = VERSION) -> ProtocolFault:
    with pytest.raises(ProtocolFault) as caught:
        stateless.read(message, _wire(message, version))
    return caught.value


@pytest.mark.parametrize("key", [META_VERSION, stateless.META_CAPABILITIES])
def test_a_missing_required_meta_key_must_be_32602_with_400(key: str) -> None:
    meta = {k: v for k, v in ENVELOPE.items() if k != key}
    fault = _fault(Request(1, "tools/list", {"_meta": meta}))
    assert (fault.code, fault.status, fault.request_id) == (-32602, 400, 1)


def test_a_missing_meta_must_be_32602_with_400() -> None:
    fault = _fault(Request(1, "tools/list", {}))
    assert (fault.code, fault.status) == (-32602, 400)


def test_client_info_must_not_be_required() -> None:
    message = Request(1, "tools/list", {"_meta": ENVELOPE})
    client, _ = stateless.read(message, _wire(message))
    assert client.info == {}


def test_an_unsupported_version_must_be_32022_with_400_and_name_both() -> None:
    message = Request("v", "tools/list", {"_meta": {**ENVELOPE, META_VERSION: "1900-01-01"}})
    fault = _fault(message, "1900-01-01")
    assert (fault.code, fault.status, fault.request_id) == (-32022, 400, "v")
    assert fault.data == {"supported": [VERSION], "requested": "1900-01-01"}


def test_every_supported_version_of_the_error_must_be_discoverable() -> None:
    fault = _fault(
        Request(1, "tools/list", {"_meta": {**ENVELOPE, META_VERSION: "1900-01-01"}}), "1900-01-01"
    )
    found = stateless.discover_result({"name": "s", "version": "1"}, {}, None)
    assert set(fault.data["supported"]) <= set(found["supportedVersions"])


REMOVED = ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]


@pytest.mark.parametrize(
    "method", [*REMOVED, "tasks/list", "tasks/result", "sampling/createMessage", "roots/list"]
)
def test_a_removed_method_must_be_32601_with_404(method: str) -> None:
    message = Request(1, method, {"uri": "u:x", "_meta": ENVELOPE})
    assert detect(message, _wire(message)) == "stateless"
    fault = _fault(message)
    assert (fault.code, fault.status) == (-32601, 404)


@pytest.mark.parametrize(
    "method", [m for m, row in METHODS.items() if "stateless" in row.eras and row.direction == "client"]
)
def test_every_method_of_the_revision_passes_the_ladder(method: str) -> None:
    message = Request(1, method, {"name": "n", "uri": "u:x", "taskId": "t", "_meta": ENVELOPE})
    assert stateless.read(message, _wire(message))[0].version == VERSION


def test_every_result_must_carry_a_result_type() -> None:
    for method in METHODS:
        assert stateless.result(method, {}, server_info=None)["resultType"] == "complete"
    assert stateless.result("tools/call", {"resultType": "task"}, server_info=None)["resultType"] == "task"


CACHEABLE = {
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
}


@pytest.mark.parametrize("method", sorted(METHODS))
def test_cache_hints_must_be_on_complete_cacheable_results_and_nowhere_else(method: str) -> None:
    shaped = stateless.result(method, {"cacheScope": "public"}, server_info=None)
    assert ("ttlMs" in shaped, "cacheScope" in shaped) == (method in CACHEABLE,) * 2
    asked = stateless.result(method, {"resultType": "input_required", "requestState": "s"}, server_info=None)
    assert not {"ttlMs", "cacheScope"} & asked.keys()


def test_the_life_of_a_task_is_no_cache_hint() -> None:
    """SEP-2663: ``ttlMs`` is a member of every task."""
    task = {"taskId": "t", "status": "working", "ttlMs": 60_000}
    made = stateless.result("tools/call", {"resultType": "task", **task}, server_info=None)
    seen = stateless.result("tasks/get", {"resultType": "complete", **task}, server_info=None)
    assert (made["ttlMs"], seen["ttlMs"]) == (60_000, 60_000)
    plain = stateless.result("tools/call", {"content": [], "ttlMs": 1}, server_info=None)
    assert "ttlMs" not in plain


def test_what_depends_on_who_asks_must_be_private() -> None:
    body = {"tools": [], "ttlMs": 60_000, "cacheScope": "public"}
    assert stateless.result("tools/list", body, server_info=None)["cacheScope"] == "private"


def test_codes_that_must_not_be_emitted() -> None:
    assert stateless.fault(-32002, "missing")[0] == -32602
    assert stateless.fault(-32042, "url")[0] == -32603
    for code in range(-32019, -31999):
        assert stateless.fault(code, "old")[0] in (-32602, -32603)


@pytest.mark.parametrize(
    ("code", "status"), [(-32601, 404), (-32602, 400), (-32021, 400), (-32700, 400), (-32600, 400)]
)
def test_http_status_of_codes(code: int, status: int) -> None:
    from gatekit import errors

    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, ProtocolFault) and kind.code == code:
            assert kind.status == status


def test_an_error_must_echo_the_request_id() -> None:
    for request_id in ("text", 0, 2**70):
        with pytest.raises(ProtocolFault) as caught:
            stateless.read(Request(request_id, "ping", {"_meta": ENVELOPE}), None)
        assert caught.value.request_id == request_id
