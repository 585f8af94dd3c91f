"""The handshake dialect: negotiation, and what older revisions get to see. The official models decide."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from mcp_types import methods as official
from mcp_types._v2025_11_25 import CallToolResult

from gatekit.errors import InvalidParams, InvalidRequestFault
from gatekit.model.call import EraName
from gatekit.protocol.era import handshake
from gatekit.protocol.era.handshake import needs_rewrite
from gatekit.protocol.jsonrpc import Request
from gatekit.protocol.methods import HANDSHAKE_VERSIONS, METHODS, STATELESS_VERSIONS

V1, V2, V3, V4 = HANDSHAKE_VERSIONS
NEW = STATELESS_VERSIONS[0]
ICON = {"src": "https://x.example/i.png"}

CALL: dict[str, Any] = {
    "resultType": "complete",
    "content": [
        {"type": "text", "text": "t"},
        {"type": "image", "data": "", "mimeType": "image/png"},
        {"type": "audio", "data": "", "mimeType": "audio/wav", "annotations": {"priority": 1}},
        {"type": "resource_link", "uri": "u:x", "name": "n", "title": "T", "icons": [ICON]},
        {"type": "resource", "resource": {"uri": "u:y", "text": ""}},
        {"type": "vendor", "x": 1},
    ],
    "structuredContent": {"a": 1},
    "isError": False,
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "x"}, "com.example/a": 1},
}
TOOLS: dict[str, Any] = {
    "resultType": "complete",
    "ttlMs": 3,
    "cacheScope": "private",
    "tools": [
        {
            "name": "t",
            "title": "T",
            "icons": [ICON],
            "inputSchema": {"type": "object", "properties": {}},
            "outputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True},
            "execution": {"taskSupport": "optional"},
            "_meta": {"ui": {}},
            "vendor": 1,
        },
        {"name": "any", "inputSchema": {"anyOf": []}, "outputSchema": {"type": "array"}},
        {"name": "odd"},
    ],
    "nextCursor": "c",
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "x"}},
}
PROMPTS: dict[str, Any] = {
    "resultType": "complete",
    "prompts": [{"name": "p", "title": "P", "icons": [ICON], "arguments": [{"name": "a", "title": "A"}]}],
}
PROMPT: dict[str, Any] = {
    "messages": [{"role": "user", "content": block} for block in CALL["content"][:5]],
}
BODIES: dict[str, dict[str, Any]] = {
    "tools/call": CALL,
    "tools/list": TOOLS,
    "prompts/list": PROMPTS,
    "prompts/get": PROMPT,
    "resources/list": {"resources": [{"uri": "u:x", "name": "n", "title": "T", "icons": [ICON]}], "ttlMs": 1},
    "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "u:{x}", "name": "n", "title": "T"}]},
    "resources/read": {"contents": [{"uri": "u:x", "text": ""}], "ttlMs": 1, "cacheScope": "public"},
    "completion/complete": {"completion": {"values": []}, "resultType": "complete"},
}


def _down(method: str, version: str) -> dict[str, Any]:
    return handshake.result(method, BODIES[method], version)


# -- opening -----------------------------------------------------------------------------------------------


def test_negotiate() -> None:
    for version in HANDSHAKE_VERSIONS:
        assert handshake.negotiate(version) == version
    for version in (NEW, "2024-10-07", "2099-01-01", "", "nonsense"):
        assert handshake.negotiate(version) == V4


def test_read_initialize() -> None:
    opening = handshake.read_initialize(
        Request(
            1,
            "initialize",
            {"protocolVersion": NEW, "capabilities": {"roots": {}}, "clientInfo": {"name": "c"}},
        )
    )
    assert (opening.requested, opening.version) == (NEW, V4)
    assert (opening.capabilities, opening.info) == ({"roots": {}}, {"name": "c"})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"protocolVersion": 3},
        {"protocolVersion": V4, "capabilities": []},
        {"protocolVersion": V4, "clientInfo": 1},
    ],
)
def test_a_senseless_initialize(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams) as caught:
        handshake.read_initialize(Request("i", "initialize", params))
    assert caught.value.request_id == "i"


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
def test_initialize_result(version: str) -> None:
    info: dict[str, Any] = {
        "name": "s",
        "version": "1",
        "title": "S",
        "icons": [ICON],
        "websiteUrl": "https://x.example",
    }
    capabilities: dict[str, Any] = {
        "tools": {},
        "completions": {},
        "tasks": {},
        "extensions": {"a/b": {}},
        "experimental": {},
    }
    found = handshake.initialize_result(version, info, capabilities, "Use it.")
    official.validate_server_result("initialize", version, found)
    assert (found["protocolVersion"], found["instructions"]) == (version, "Use it.")
    assert ("title" in found["serverInfo"]) == (version in (V3, V4))
    assert ("icons" in found["serverInfo"]) == (version == V4)
    assert ("completions" in found["capabilities"]) == (version != V1)
    assert ("tasks" in found["capabilities"]) == (version == V4)
    assert found["capabilities"]["extensions"] == {"a/b": {}}
    assert "instructions" not in handshake.initialize_result(version, info, {}, None)


def test_an_upstream_without_a_name_still_opens() -> None:
    official.validate_server_result("initialize", V4, handshake.initialize_result(V4, {}, {}, None))


def test_read_passes_params_as_they_are() -> None:
    message = Request(1, "tools/call", {"name": "x", "_meta": {"progressToken": 1}})
    client, params = handshake.read(message, V3, capabilities={"roots": {}}, info={"name": "c"})
    assert params is message.params
    assert (client.era, client.version, client.capabilities) == ("handshake", V3, {"roots": {}})


def test_version_of_a_request() -> None:
    def header(*values: str) -> dict[bytes, list[bytes]]:
        return {b"mcp-protocol-version": [value.encode() for value in values]}

    assert handshake.check_version({}, V3) == V3
    assert handshake.check_version({}, None) == V2
    assert handshake.check_version(header(V4), None) == V4
    assert handshake.check_version(header(V4), V3) == V3
    for values in (["1999-01-01"], [V4, "x"], [""]):
        with pytest.raises(InvalidRequestFault):
            handshake.check_version(header(*values), V3)


# -- results -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "version"), list(itertools.product(BODIES, HANDSHAKE_VERSIONS)))
def test_every_lowered_result_is_valid_and_the_original_untouched(method: str, version: str) -> None:
    before = copy.deepcopy(BODIES[method])
    lowered = _down(method, version)
    assert BODIES[method] == before
    assert not {"resultType", "ttlMs", "cacheScope"} & lowered.keys()
    assert "io.modelcontextprotocol/serverInfo" not in lowered.get("_meta", {})
    if method == "tools/call":
        lowered = {**lowered, "content": [b for b in lowered["content"] if b["type"] != "vendor"]}
    official.validate_server_result(method, version, lowered)


def test_content_of_a_call() -> None:
    kinds = {v: [block["type"] for block in _down("tools/call", v)["content"]] for v in HANDSHAKE_VERSIONS}
    assert kinds == {
        V1: ["text", "image", "text", "text", "resource", "vendor"],
        V2: ["text", "image", "audio", "text", "resource", "vendor"],
        V3: ["text", "image", "audio", "resource_link", "resource", "vendor"],
        V4: ["text", "image", "audio", "resource_link", "resource", "vendor"],
    }
    first = _down("tools/call", V1)["content"]
    assert first[2] == {
        "type": "text",
        "text": "[audio, audio/wav: not shown by this client]",
        "annotations": {"priority": 1},
    }
    assert first[3] == {"type": "text", "text": "[T](u:x)"}
    assert "icons" not in _down("tools/call", V3)["content"][3]
    assert "icons" in _down("tools/call", V4)["content"][3]


def test_meta_of_others_stays() -> None:
    assert _down("tools/call", V4)["_meta"] == {"com.example/a": 1}
    assert "_meta" not in _down("tools/list", V4)


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
@pytest.mark.parametrize("structured", [{"a": 1}, [1, 2], "text", 3, None])
def test_structured_content(version: str, structured: Any) -> None:
    text = {"type": "text", "text": "as text"}
    kept = handshake.result("tools/call", {"content": [text], "structuredContent": structured}, version)
    allowed = isinstance(structured, dict) and version in (V3, V4)
    assert ("structuredContent" in kept) == allowed
    assert kept["content"] == [text]
    alone = handshake.result("tools/call", {"content": [], "structuredContent": structured}, version)
    assert bool(alone["content"]) == (not allowed)
    CallToolResult.model_validate(alone)


def test_tools() -> None:
    keys = {v: set(_down("tools/list", v)["tools"][0]) for v in HANDSHAKE_VERSIONS}
    base = {"name", "inputSchema", "vendor", "_meta"}
    assert keys[V1] == base
    assert keys[V2] == base | {"annotations"}
    assert keys[V3] == base | {"annotations", "title", "outputSchema"}
    assert keys[V4] == set(TOOLS["tools"][0])
    for version in HANDSHAKE_VERSIONS:
        tools = _down("tools/list", version)["tools"]
        assert [tool["name"] for tool in tools] == ["t", "any", "odd"]
        assert [tool["inputSchema"]["type"] for tool in tools] == ["object"] * 3
        assert "outputSchema" not in tools[1]
        assert _down("tools/list", version)["nextCursor"] == "c"


def test_prompts() -> None:
    assert _down("prompts/list", V2)["prompts"] == [{"name": "p", "arguments": [{"name": "a"}]}]
    assert _down("prompts/list", V4)["prompts"] == PROMPTS["prompts"]
    assert [m["content"]["type"] for m in _down("prompts/get", V1)["messages"]] == [
        "text",
        "image",
        "text",
        "text",
        "resource",
    ]


@pytest.mark.parametrize("method", BODIES)
@pytest.mark.parametrize("junk", [None, 3, "x", {}, [None, 3, [], "x", {}]])
def test_junk_from_an_upstream_never_raises(method: str, junk: Any) -> None:
    body = {key: junk for key in BODIES[method]}
    for version in HANDSHAKE_VERSIONS:
        handshake.result(method, body, version)


# -- the hot path ------------------------------------------------------------------------------------------

ERAS: list[tuple[EraName, str]] = [("handshake", v) for v in HANDSHAKE_VERSIONS] + [("stateless", NEW)]


def test_equals_pass_as_bytes() -> None:
    for version in HANDSHAKE_VERSIONS:
        for method in METHODS:
            assert not needs_rewrite(method, "handshake", version, "handshake", version)
    assert not needs_rewrite("tools/call", "handshake", V4, "handshake", V1)
    assert not needs_rewrite("tools/call", "stateless", NEW, "stateless", NEW)
    assert not needs_rewrite("vendor/thing", "handshake", V1, "handshake", V4)


def test_whoever_may_meet_something_unknown_gets_it_rewritten() -> None:
    assert needs_rewrite("tools/call", "handshake", V1, "handshake", V4)
    assert needs_rewrite("tools/list", "handshake", V3, "handshake", V4)
    assert needs_rewrite("tools/call", "handshake", V4, "handshake", "2099-01-01")
    assert needs_rewrite("tools/call", "handshake", V4, "stateless", NEW)
    assert needs_rewrite("vendor/thing", "stateless", NEW, "handshake", V4)
    assert needs_rewrite("tools/list", "stateless", NEW, "stateless", NEW)


def test_without_rewrite_a_rewrite_would_have_changed_nothing_needed() -> None:
    """Where bytes pass, the upstream's revision must not know more than the client's."""
    for (era, version), (other, upstream) in itertools.product(ERAS, ERAS):
        for method, body in BODIES.items():
            if era == "handshake" and not needs_rewrite(method, era, version, other, upstream):
                said = handshake.result(method, body, upstream)
                assert handshake.result(method, said, version) == said


# -- errors ------------------------------------------------------------------------------------------------


def test_faults() -> None:
    uri = {"uri": "u:x"}
    assert handshake.fault("resources/read", -32602, "nope", uri) == (-32002, "nope", uri)
    assert handshake.fault("resources/read", -32602, "Unknown resource: u:x") == (
        -32002,
        "Unknown resource: u:x",
        None,
    )
    assert handshake.fault("resources/read", -32602, "Invalid params: uri must be a string")[0] == -32602
    assert handshake.fault("tools/call", -32602, "Unknown tool: not found", uri)[0] == -32602
    assert handshake.fault("tools/call", -32021, "needs sampling", {"requiredCapabilities": {}}) == (
        -32603,
        "needs sampling",
        None,
    )
    assert handshake.fault("tools/call", -32042, "open", {"elicitations": []}, V4)[0] == -32042
    assert handshake.fault("tools/call", -32042, "open", {"elicitations": []}, V3) == (-32603, "open", None)
    assert handshake.fault("tools/call", -32000, "server's own", 1) == (-32000, "server's own", 1)
    assert handshake.fault("tools/call", -31001, "down") == (-31001, "down", None)
