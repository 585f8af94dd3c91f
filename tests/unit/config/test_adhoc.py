"""A configuration made from one command."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.adhoc import named_after, wrapped
from gatekit.errors import ConfigError


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("npx -y @modelcontextprotocol/server-filesystem /srv", "server-filesystem"),
        ("npx -y @acme/server-files@1.2.3 /srv", "server-files"),
        ("uvx mcp-server-time --local-timezone UTC", "mcp-server-time"),
        ("/usr/bin/python3 /opt/my server.py", "my"),
        ("node dist/index.js", "index.js"),
        ("./run__it_", "run-it"),
        ("npx", "npx"),
        ("@", "server"),
    ],
)
def test_the_name_of_a_command(command: str, name: str) -> None:
    assert named_after(command.split()) == name


def test_everything_is_set_for_one_person(tmp_path: Path) -> None:
    config = wrapped(["uvx", "x"], tmp_path, env={"TOKEN": "t"})
    (entry,) = config.servers
    assert entry.server.command == ("uvx", "x")
    assert entry.server.env == (("TOKEN", "t"),)
    assert not config.auth.enabled
    assert config.data_dir == tmp_path


def test_a_name_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be a server's name"):
        wrapped(["x"], tmp_path, "a b")
