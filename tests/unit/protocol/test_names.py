"""Names of the aggregate endpoint: always reversible, never ambiguous."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl

from gatekit.protocol import names

_server = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=6).filter(
    names.can_be_prefix
)
_name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.text(
    "_a", min_size=1, max_size=6
)


@pytest.mark.parametrize("name", ["a", "my-server", "my_server", "A.b-c_d", "0", "_a", "a" * 64])
def test_names_that_a_path_and_a_tool_may_begin_with(name: str) -> None:
    assert names.may_be_published(name)
    assert names.can_be_prefix(name)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "ä", "a\n", "a" * 65, "a:b"])
def test_names_that_no_path_can_have(name: str) -> None:
    assert not names.may_be_published(name)


@pytest.mark.parametrize("name", ["a_", "a__b", "__a"])
def test_names_that_would_move_the_seam(name: str) -> None:
    assert not names.can_be_prefix(name)


@settings(max_examples=150, deadline=None)
@given(st.sets(_server, min_size=1, max_size=4), _name, st.data())
def test_every_tool_of_every_server_round_trips(servers: set[str], name: str, data: st.DataObject) -> None:
    server = data.draw(st.sampled_from(sorted(servers)))
    assert names.split(names.join(server, name), servers) == (server, name)
    assert names.split_uri(names.join_uri(server, name), servers) == (server, name)


@settings(max_examples=150, deadline=None)
@given(_server, _name, _server, _name)
def test_different_things_never_share_a_name(server: str, name: str, other: str, other_name: str) -> None:
    assume((server, name) != (other, other_name))
    assert names.join(server, name) != names.join(other, other_name)
    assert names.join_uri(server, name) != names.join_uri(other, other_name)


def test_a_tool_that_begins_with_an_underscore_has_its_server() -> None:
    assert names.join("srv", "_x") == "srv___x"
    assert names.split("srv___x", {"srv", "srv-"}) == ("srv", "_x")


@pytest.mark.parametrize(
    "prefixed", ["", "echo", "srv", "srv_echo", "srv__", "__echo", "other__echo", "SRV__echo"]
)
def test_what_has_no_server_is_nobodys(prefixed: str) -> None:
    assert names.split(prefixed, {"srv"}) is None


URIS = [
    "file:///srv/a%20b?x=1#part",
    "file:///a/../b/./c",
    "test://static-text",
    "ui://widget/index.html",
    "demo://resource/dynamic/text/1",
    "urn:isbn:1",
]


@pytest.mark.parametrize("uri", URIS)
def test_uris_survive_url_libraries(uri: str) -> None:
    joined = names.join_uri("My_srv.1", uri)
    assert str(AnyUrl(joined)) == joined
    assert urlsplit(joined).scheme == "gatekit"
    assert names.split_uri(joined, {"My_srv.1"}) == ("My_srv.1", uri)


def test_templates_expand_to_uris_of_the_same_server() -> None:
    assert names.join_uri("n", "file:///{+path}") == "gatekit:n/file:///{+path}"
    assert names.split_uri("gatekit:n/file:///a/b%20c", {"n"}) == ("n", "file:///a/b%20c")


def test_a_scheme_is_the_same_in_capitals() -> None:
    assert names.split_uri("GateKit:n/u:x", {"n"}) == ("n", "u:x")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "file:///x",
        "gatekit:",
        "gatekit:n",
        "gatekit:n/",
        "gatekit:/u:x",
        "gatekit://n/u:x",
        "gatekit:N/u:x",
        "gatekit:m/u:x",
    ],
)
def test_uris_without_a_server_are_nobodys(uri: str) -> None:
    assert names.split_uri(uri, {"n"}) is None


def prefixed(uri: str) -> str:
    return names.join_uri("n", uri)


def test_results_name_what_the_client_asked_for() -> None:
    read = {"contents": [{"uri": "u:1", "text": "see u:2"}, {"text": "no uri"}, 3], "ttlMs": 1}
    assert names.rename_result("resources/read", read, prefixed) == {
        "contents": [{"uri": "gatekit:n/u:1", "text": "see u:2"}, {"text": "no uri"}, 3],
        "ttlMs": 1,
    }
    link = {"type": "resource_link", "uri": "u:1", "name": "x"}
    embedded = {"type": "resource", "resource": {"uri": "u:1", "text": ""}}
    renamed = [
        {**link, "uri": "gatekit:n/u:1"},
        {"type": "resource", "resource": {"uri": "gatekit:n/u:1", "text": ""}},
    ]
    text = {"type": "text", "text": "u:1", "uri": "u:1"}
    call = {"content": [link, embedded, text], "isError": False}
    assert names.rename_result("tools/call", call, prefixed) == {
        "content": [*renamed, text],
        "isError": False,
    }
    prompt = {"messages": [{"role": "user", "content": link}, {"role": "user", "content": embedded}]}
    assert names.rename_result("prompts/get", prompt, prefixed) == {
        "messages": [{"role": "user", "content": renamed[0]}, {"role": "user", "content": renamed[1]}]
    }
    assert read["contents"] == [{"uri": "u:1", "text": "see u:2"}, {"text": "no uri"}, 3]


@pytest.mark.parametrize(
    "body", [{}, {"contents": None}, {"content": 3}, {"messages": [None, {"content": []}]}]
)
def test_odd_results_are_left_alone(body: dict[str, Any]) -> None:
    for method in ("resources/read", "tools/call", "prompts/get", "tools/list"):
        assert names.rename_result(method, body, prefixed) == body
