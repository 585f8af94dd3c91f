"""Questions in the middle of a call, from one dialect to the other.

A handshake-era server *asks*: a request of its own, while the client's call stays open. A stateless server
*answers that it needs input*, and the client calls again (MCP 2026-07-28, multi round-trip requests). The
same three questions exist on both sides; this module says which, whether a client may be asked them, what
they look like in the other dialect and whether an answer is one. It holds no state and waits for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gatekit.errors import InvalidParams
from gatekit.model.call import ClientSide, Fault, Result, Retry
from gatekit.protocol.era import lowering
from gatekit.protocol.methods import at_least, spec

ELICITATION: Final = "elicitation/create"
SAMPLING: Final = "sampling/createMessage"
ROOTS: Final = "roots/list"
URL_REQUIRED: Final = -32042
"""2025-11-25: the call did not run, because the person must visit a URL first; ``data.elicitations``."""

CAPABILITY_REQUIRED: Final = -32021
"""2026-07-28: the request lacks a client capability that it needs; ``data.requiredCapabilities``."""

CAPABILITY: Final[Mapping[str, str]] = {ELICITATION: "elicitation", SAMPLING: "sampling", ROOTS: "roots"}
"""Question → the client capability that allows it."""

_MAX_INPUTS: Final = 64
"""Questions in one round; more is no dialogue."""
_ACTIONS: Final = frozenset(("accept", "decline", "cancel"))
_FORMS: Final = "2025-06-18"
"""First revision with elicitation."""
_URLS: Final = "2025-11-25"
"""First revision with elicitation in URL mode, and with tools in sampling."""

_sorted = msgspec.json.Encoder(order="sorted")


# -- what the client can be asked --------------------------------------------------------------------------


def declared(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a stateless client's capabilities that a handshake-era server is told of.

    ``roots.listChanged`` is left out: the stateless era has no such notification.
    """
    told = {name: capabilities[name] for name in _TOLD if isinstance(capabilities.get(name), dict)}
    if "roots" in told:
        told["roots"] = {key: value for key, value in told["roots"].items() if key != "listChanged"}
    return told


_TOLD: Final = ("elicitation", "sampling", "roots", "extensions")


def introduced(version: str, capabilities: dict[str, Any], info: dict[str, Any]) -> ClientSide:
    """A client of the handshake era, which says only once what it can do: so it is worked out only once what
    stateless servers are told of that."""
    client = ClientSide(era="handshake", version=version, capabilities=capabilities, info=info)
    return msgspec.structs.replace(client, offered=offered(client))


def offered(client: ClientSide) -> dict[str, Any]:
    """What a stateless server is told of the client of one call: what that declared, as far as its own
    revision has a way to ask for it. Not to be changed."""
    if client.era == "stateless":
        return client.capabilities
    if client.offered is not None:
        return client.offered
    told = declared(client.capabilities)
    elicitation = told.pop("elicitation", None)
    if at_least(client.version, _URLS):
        if elicitation is not None:
            # An empty object meant form mode before there were two.
            told["elicitation"] = elicitation or {"form": {}}
        return told
    if elicitation is not None and at_least(client.version, _FORMS):
        told["elicitation"] = {"form": {}}
    if "sampling" in told:
        told["sampling"] = {}
    return told


def lacking(fault: Fault) -> Fault:
    """-32021 in words, for a client whose revision has no such error."""
    wanted = fault.data.get("requiredCapabilities") if isinstance(fault.data, dict) else None
    if not isinstance(wanted, dict) or not wanted:
        return Fault(-32603, fault.message)
    names = sorted(f"{name}.{part}" for name, parts in wanted.items() for part in _parts(parts))
    text = ", ".join(name.removesuffix(".") for name in names)
    return Fault(-32603, f"the server needs what this client does not offer: {text}")


def _parts(value: Any) -> list[str]:
    return [str(key) for key in value] if isinstance(value, dict) and value else [""]


def fingerprint(capabilities: Mapping[str, Any]) -> str:
    """Names what ``declared`` leaves over; ``""`` if that is nothing. Clients with equal ones may share an
    instance, because capabilities are fixed when a handshake-era server is opened."""
    told = declared(capabilities)
    return hashlib.sha256(_sorted.encode(told)).hexdigest()[:12] if told else ""


def can_be_asked(capabilities: Mapping[str, Any]) -> bool:
    """Whether the client declared anything that a server could ask for in the middle of a call."""
    return "elicitation" in capabilities or "sampling" in capabilities or "roots" in capabilities


def refusal(method: str, params: Mapping[str, Any], capabilities: Mapping[str, Any]) -> Fault | None:
    """Why a client of these capabilities must not be asked this; None if it may."""
    name = CAPABILITY.get(method)
    if name is None or not isinstance(capabilities.get(name), dict):
        return Fault(-32601, f"Method not found: {method}")
    offered = capabilities[name]
    if method == ELICITATION:
        mode = params.get("mode", "form")
        # An empty object means form mode, which was all there was before URL mode came (2025-11-25).
        modes = {key for key in ("form", "url") if key in offered} or {"form"}
        if mode not in modes:
            return Fault(-32602, f"the client does not offer elicitation in {mode!s:.20} mode")
    if method == SAMPLING and ("tools" in params or "toolChoice" in params) and "tools" not in offered:
        return Fault(-32602, "the client does not offer sampling with tools")
    return None


def unattended(method: str) -> Result | Fault:
    """The answer to a question that belongs to no call: there is nobody to put it to."""
    if method == ELICITATION:
        return Result({"action": "cancel"})
    if method == ROOTS:
        return Result({"roots": []})
    if method == SAMPLING:
        return Fault(-32603, "sampling is possible only while a call is being served")
    return Fault(-32601, f"Method not found: {method}")


def unable(method: str, fault: Fault) -> dict[str, Any] | None:
    """What a stateless server is told where the client answered its question with an error; None if nothing
    can be said: an ``inputResponses`` value is always a result."""
    if method == ELICITATION:
        return {"action": "cancel"}
    return {"roots": []} if method == ROOTS and fault.code == -32601 else None


def given_up(method: str) -> Result | Fault:
    """The answer to a question that the client left unanswered for too long."""
    if method == ELICITATION:
        return Result({"action": "cancel"})
    return Fault(-32603, "the client gave no answer in time")


# -- questions ---------------------------------------------------------------------------------------------


def input_request(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A handshake-era server's question as an ``inputRequests`` value."""
    kept = {key: value for key, value in params.items() if key not in ("elicitationId", "task")}
    meta = kept.pop("_meta", None)
    if isinstance(meta, dict):
        # There is no way to report progress on an input request.
        meta = {key: value for key, value in meta.items() if key != "progressToken"}
        if meta:
            kept["_meta"] = meta
    return {"method": method, "params": kept} if kept or method != ROOTS else {"method": method}


def read_request(request: Any) -> tuple[str, dict[str, Any]] | None:
    """Method and params of an ``inputRequests`` value that a stateless server sent; None if it is none."""
    if not isinstance(request, dict) or request.get("method") not in CAPABILITY:
        return None
    params = request.get("params", {})
    return (request["method"], params) if isinstance(params, dict) else None


def is_url(method: str, params: Mapping[str, Any]) -> bool:
    """Whether this is an elicitation in URL mode."""
    return method == ELICITATION and params.get("mode") == "url"


def question(method: str, params: Mapping[str, Any], version: str, elicitation_id: str) -> dict[str, Any]:
    """A stateless server's question as the params of a request to a client of handshake revision ``version``.

    ``elicitation_id`` is used where that revision wants one (URL mode).
    """
    if method != ELICITATION:
        return dict(params)
    if is_url(method, params):
        return {**params, "elicitationId": elicitation_id}
    if at_least(version, lowering.FORMS):
        return dict(params)
    asked = {key: value for key, value in params.items() if key != "mode"}
    if "requestedSchema" in asked:
        asked["requestedSchema"] = lowering.form(asked["requestedSchema"], version)
    return asked


def answered(method: str, params: Mapping[str, Any], version: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a client of handshake revision ``version`` answered to ``question`` of these ``params``, as the
    server that asked expects it."""
    content = body.get("content")
    if method != ELICITATION or at_least(version, lowering.FORMS) or not isinstance(content, dict):
        return body
    return {**body, "content": lowering.raised(params.get("requestedSchema"), version, content)}


# -- the client's second call ------------------------------------------------------------------------------


def take_retry(method: str, params: dict[str, Any]) -> Retry | None:
    """Take what belongs to a retry out of ``params``; None if this is a first call.

    Raises InvalidParams where it has the wrong shape.
    """
    if "inputResponses" not in params and "requestState" not in params:
        return None
    if not spec(method).may_ask:
        return None
    responses, state = params.pop("inputResponses", None), params.pop("requestState", None)
    if responses is None:
        responses = {}
    if not isinstance(responses, dict) or len(responses) > _MAX_INPUTS:
        raise InvalidParams("Invalid params: inputResponses must be an object")
    if state is not None and not isinstance(state, str):
        raise InvalidParams("Invalid params: requestState must be a string")
    return Retry(responses, state)


def call_digest(method: str, params: Mapping[str, Any]) -> str:
    """What makes two calls the same call; a retry must be of the call that it answers for.

    ``_meta`` is left out: progress tokens and trace ids are new with every request.
    """
    same = {key: value for key, value in params.items() if key != "_meta"}
    return hashlib.sha256(_sorted.encode((method, same))).hexdigest()


def read_answer(method: str, value: Any) -> dict[str, Any]:
    """A client's answer to one question. Raises InvalidParams if it cannot be one."""
    if not isinstance(value, dict):
        raise InvalidParams(f"Invalid params: the answer to {method} must be an object")
    if method == ELICITATION:
        content = value.get("content")
        if value.get("action") not in _ACTIONS or not (content is None or isinstance(content, dict)):
            raise InvalidParams("Invalid params: the answer to elicitation/create needs a valid action")
    elif method == SAMPLING:
        if not isinstance(value.get("role"), str) or not isinstance(value.get("content"), dict | list):
            raise InvalidParams("Invalid params: the answer to sampling/createMessage needs role and content")
    elif not isinstance(value.get("roots"), list):
        raise InvalidParams("Invalid params: the answer to roots/list needs roots")
    # Results of the stateless era may say what kind they are; the older era knows no such key.
    return {key: item for key, item in value.items() if key != "resultType"}


def needs_input(
    requests: Mapping[str, Any], state: str, server_info: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The result that asks a stateless client."""
    body: dict[str, Any] = {"resultType": "input_required", "requestState": state}
    if requests:
        body["inputRequests"] = dict(requests)
    if server_info:
        body["_meta"] = {"io.modelcontextprotocol/serverInfo": dict(server_info)}
    return body


# -- URLs that must be visited first -----------------------------------------------------------------------


def required_urls(fault: Fault) -> dict[str, dict[str, Any]]:
    """The questions that a -32042 error holds, keyed for ``inputRequests``; empty if it holds none."""
    listed = fault.data.get("elicitations") if isinstance(fault.data, dict) else None
    wanted = [each for each in listed if _is_visit(each)] if isinstance(listed, list) else []
    return {
        f"url-{number}": input_request(ELICITATION, {**each, "mode": "url"})
        for number, each in enumerate(wanted[:_MAX_INPUTS], 1)
    }


def _is_visit(each: Any) -> bool:
    return isinstance(each, dict) and isinstance(each.get("url"), str) and each.get("mode", "url") == "url"


def in_words(fault: Fault) -> dict[str, Any] | None:
    """A -32042 error as a tool result, for clients that cannot open a URL by themselves; None if it names
    none."""
    visits = [request["params"] for request in required_urls(fault).values()]
    if not visits:
        return None
    lines = [f"{visit.get('message') or 'Please visit'}: {visit['url']}" for visit in visits]
    return {"content": [{"type": "text", "text": "\n".join(lines)}], "isError": True}
