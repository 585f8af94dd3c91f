"""``docs/clients.md`` says what ``scripts/clients`` saw of exactly the versions that it installs."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.clients_run import BEGIN, DOCUMENT, END
from tests.support.peers import CLIENTS
from tests.support.real_clients import REAL_CLIENTS, RealClient

PEER = {
    "mcp-remote": "mcp-remote",
    "MCP Inspector": "@modelcontextprotocol/inspector",
    "TypeScript SDK 1": "@modelcontextprotocol/sdk",
    "TypeScript SDK 2": "@modelcontextprotocol/client",
    "openid-client": "openid-client",
    "oauth4webapi": "oauth4webapi",
}
"""How the tests' own npm packages are called here."""


def rows() -> dict[str, list[str]]:
    """Name → the other cells of its row."""
    measured = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    found = [re.split(r" *\| *", line.strip("| ")) for line in measured.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in found[1:]}


@pytest.mark.parametrize("client", REAL_CLIENTS, ids=lambda each: each.name)
def test_every_client_was_run_in_this_version_and_got_in(client: RealClient) -> None:
    version, shows, *starts = rows()[client.name]
    assert (version, shows) == (client.version, client.shows)
    assert len(starts) == 6
    assert set(starts) <= {"yes", "signs in again"}


def test_three_agents_are_among_them() -> None:
    assert sum(client.agent for client in REAL_CLIENTS) >= 3


def test_nothing_else_is_claimed() -> None:
    assert list(rows()) == [client.name for client in REAL_CLIENTS]


def test_the_tests_own_peers_are_named_by_their_versions() -> None:
    pinned = json.loads((CLIENTS / "peers" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for client in REAL_CLIENTS:
        if client.package.startswith("peers@") and (name := PEER.get(client.name.partition(",")[0])):
            assert client.version == pinned[name], client.name
