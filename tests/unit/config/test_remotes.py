"""Servers with a URL: which keys go with it, what is refused, and what is shown of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.checks import warnings
from gatekit.config.show import describe
from tests.unit.config.write import faults, loaded

CRM = """
servers:
  crm:
    url: https://mcp.example.com/mcp?key=abc
    transport: http
    headers: {Authorization: "Bearer ${env:TOKEN}", X-Tenant: acme, X-From: "${env:PLACE}"}
    users: ["*"]
"""


def test_every_setting_reaches_the_server(tmp_path: Path) -> None:
    (entry,) = loaded(tmp_path, CRM, {"TOKEN": "t0p", "PLACE": "berlin"}).servers
    server = entry.server
    assert (server.url, server.transport, server.command) == (
        "https://mcp.example.com/mcp?key=abc",
        "http",
        (),
    )
    assert server.headers == (("Authorization", "Bearer t0p"), ("X-Tenant", "acme"), ("X-From", "berlin"))
    assert (server.max_instances, server.max_instances_per_user) == (1000, 100)
    assert "t0p" not in repr(server)


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    config = loaded(tmp_path, CRM, {"TOKEN": "t0p", "PLACE": "berlin"})
    shown = describe(config)["servers"]["crm"]
    assert shown["url"] == "https://mcp.example.com/mcp?***"
    assert shown["headers"] == {"Authorization": "***", "X-Tenant": "acme", "X-From": "***"}
    assert "command" not in shown
    (entry,) = loaded(
        tmp_path, 'servers: {x: {url: "${env:U}"}}', {"U": "https://h.example/s/key/mcp"}
    ).servers
    assert describe(loaded(tmp_path, 'servers: {x: {url: "${env:U}"}}', {"U": entry.server.url}))["servers"][
        "x"
    ]["url"] == ("https://h.example/***")


def test_another_url_header_or_transport_is_another_server(tmp_path: Path) -> None:
    variants = [
        "{url: 'https://a.example/mcp'}",
        "{url: 'https://a.example/mcp2'}",
        "{url: 'https://a.example/mcp', transport: sse}",
        "{url: 'https://a.example/mcp', headers: {X-A: b}}",
    ]
    found = {loaded(tmp_path, f"servers: {{x: {v}}}").servers[0].server.fingerprint() for v in variants}
    assert len(found) == len(variants)


@pytest.mark.parametrize(
    ("server", "fault"),
    [
        ("{title: x}", "command: is required, or else a url"),
        ("{url: 'https://a.example', command: b}",
         "url: there is a command as well; a server has one of the two"),
        ("{url: 'https://a.example', args: [b]}", "args: means nothing to a server with a url"),
        ("{url: 'https://a.example', env: {A: b}}", "env: means nothing to a server with a url"),
        ("{command: a, headers: {X-A: b}}", "headers: means nothing to a server with a command"),
        ("{command: a, transport: sse}", "transport: means nothing to a server with a command"),
        ("{url: 'ftp://a.example'}", "url: the URL must be https (expected something like https://mcp.example.com/mcp)"),
        ("{url: 'https://user:pw@a.example'}",
         "url: the URL must hold a plain host name and perhaps a port (expected something like https://mcp.example.com/mcp)"),
        ("{url: 'https://0x7f.1/'}",
         "url: the host is a number but not an address in its usual form (expected something like https://mcp.example.com/mcp)"),
        ("{url: 'https://a.example', transport: ws}", "transport: expected auto, http or sse, not 'ws'"),
        ("{url: 'https://a.example', headers: {Host: b}}", "headers.Host: is set by the protocol itself"),
        ("{url: 'https://a.example', headers: {Mcp-Session-Id: b}}",
         "headers.Mcp-Session-Id: is set by the protocol itself"),
        ("{url: 'https://a.example', headers: {'A b': c}}", 'headers."A b": is no name of a header'),
        ("{url: 'https://a.example', headers: {X-A: b, x-a: c}}",
         "headers.x-a: is there already (case does not count)"),
        ("{url: 'https://a.example', headers: {X-A: \"b\\r\\nX-C: d\"}}",
         "headers.X-A: expected plain ASCII without line breaks or blanks around it"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, server: str, fault: str) -> None:
    assert faults(tmp_path, f"servers: {{x: {server}}}") == (f"1: servers.x.{fault}",)


def test_plain_http_off_this_machine_is_worth_a_word(tmp_path: Path) -> None:
    config = loaded(tmp_path, "servers: {x: {url: 'http://10.0.0.7:8000/mcp', users: ['*']}}")
    assert any("plain http: everything can be read" in text for text in warnings(config))
    config = loaded(tmp_path, "servers: {x: {url: 'http://127.0.0.1:8000/mcp', users: ['*']}}")
    assert not any("plain http" in text for text in warnings(config))
