"""The file as a whole: the examples, the defaults, and all faults at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatekit.config.load import load, try_load
from gatekit.config.model import GitHubConnection, LocalConnection
from gatekit.errors import ConfigError
from gatekit.model.people import Principal
from gatekit.model.rules import ByEmail, ByGroup
from gatekit.policy.engine import Policy
from tests.unit.config.write import EXAMPLES, faults, loaded, write

MINIMAL = """
    servers:
      x: {command: "true"}
"""


def test_the_map_form_with_github_loads_as_it_is() -> None:
    config = load(EXAMPLES / "github-users.yaml", {})
    (connection,) = config.auth.connections
    assert isinstance(connection, GitHubConnection)
    assert (connection.client_id, str(connection.client_secret)) == (
        "your-github-app-id",
        "your-github-app-secret",
    )
    assert (config.port, config.public_url) == (8080, "http://localhost:8080")
    assert [entry.server.name for entry in config.servers] == ["filesystem", "database"]
    assert config.servers[1].server.command == ("python", "-m", "database_server")
    assert config.rules.gateway == (ByEmail("alice@company.com"), ByEmail("bob@company.com"))
    policy = Policy.compile(config.rules)
    bob = Principal(id="b", username="b", connection="github", email="bob@company.com", email_verified=True)
    assert policy.rights(bob).servers() == ("filesystem",)


def test_the_list_form_with_groups_loads_as_it_is() -> None:
    config = load(EXAMPLES / "groups-list.yaml", {})
    assert config.auth.connections == (LocalConnection(),)
    assert [(rules.server, rules.allowed) for rules in config.rules.servers] == [
        ("dev_tools", (ByGroup("developers"),)),
        ("prod_tools", (ByGroup("sre_team"),)),
    ]
    assert config.rules.gateway is None
    assert [note.split(": ", 1)[0] for note in config.notes] == ["groups-list.yaml:4", "groups-list.yaml:8"]
    assert "gatekit groups create developers" in config.notes[0]


def test_defaults(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL)
    assert (config.host, config.port, config.public_url) == ("127.0.0.1", 8080, "http://localhost:8080")
    assert config.data_dir == tmp_path / "gatekit-data"
    assert config.auth.enabled
    assert config.auth.default_connection == "local"
    assert (config.tokens.access_ttl, config.tokens.refresh_ttl) == (3600, 30 * 86400)
    assert (config.tokens.refresh_grace, config.tokens.code_ttl) == (45, 60)
    assert "cursor" in config.registration.private_use_schemes
    assert config.audit.durability == "process"
    assert config.limits.max_body_bytes == 17 * 1024**2
    assert config.servers[0].server.cwd == str(tmp_path)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "servers:\n", "groups:\nservers:\n"])
def test_a_file_without_content_is_the_defaults(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text).servers == ()


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, "data_dir: ../state\nservers:\n  x: {command: 'true', cwd: sub}\n")
    assert os.path.normpath(config.data_dir) == str(tmp_path.parent / "state")
    assert config.servers[0].server.cwd == str(tmp_path / "sub")
    assert loaded(tmp_path, "data_dir: /var/lib/gatekit").data_dir == Path("/var/lib/gatekit")


def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, MINIMAL)
    monkeypatch.chdir(tmp_path)
    assert load(Path("gatekit.yaml"), {}).path == tmp_path / "gatekit.yaml"


def test_every_fault_is_reported_at_once_with_line_path_and_nearest_key(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        port: 80
        proxy:
          transport: stdio
          prot: 9
          auth: {enabled: maybe, client_secret: "${env:NOPE}", provider: github, client_id: x}
        servers:
          database:
            comand: python -m x
            allowed_users: alice
          database:
            command: x
          other:
            command: [a, 3]
            idle_timeout: soon
            max_instances: 0
          half:
            title: no command
        audit: {durability: paper}
        """,
    )
    assert found == (
        "1: port: unknown key here (it belongs under proxy)",
        "3: proxy.transport: only http here; for stdio a client starts `gatekit stdio` with this file",
        "4: proxy.prot: unknown key (did you mean 'port'?)",
        "5: proxy.auth.client_secret: the environment variable NOPE is not set",
        "5: proxy.auth.enabled: expected true or false, not 'maybe'",
        "8: servers.database.comand: unknown key (did you mean 'command'?)",
        "9: servers.database.allowed_users: expected a list, like [a, b], not 'alice'",
        "10: servers.database: the key is written twice (first in line 7)",
        "13: servers.other.command[1]: expected text (put it in quotes), not 3",
        "14: servers.other.idle_timeout: expected a duration like 300 (seconds), 5m or 1h30m, not 'soon'",
        "15: servers.other.max_instances: must be from 1 to 100000",
        "16: servers.half.command: is required, or else a url",
        "18: audit.durability: expected process or disk, not 'paper'",
    )


def test_faults_of_the_list_form_keep_their_index(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        servers:
          - command: x
          - foo
          - {name: 5, command: x}
          - name: last
            comand: x
            env: [A=1]
          - {name: LAST, command: "a && b"}
        """,
    )
    assert [line.split(" ", 2)[:2] for line in found] == [
        ["2:", "servers[0].name:"],
        ["3:", "servers[1]:"],
        ["4:", "servers[2].name:"],
        ["6:", "servers[3].comand:"],
        ["7:", "servers[3].env:"],
        ["8:", "servers[4].name:"],
        ["8:", "servers[4].command:"],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server: {}", "1: server: unknown key (did you mean 'servers'?)"),
        ("servers: 5", "1: servers: expected servers by name, or a list of servers, not 5"),
        ("proxy: [a]", "1: proxy: expected keys and values, not a list"),
        ("proxy: {port: 99999}", "1: proxy.port: must be from 1 to 65535"),
        ("proxy: {port: true}", "1: proxy.port: expected a whole number, not true"),
        ("proxy: {port: 80.5}", "1: proxy.port: expected a whole number, not 80.5"),
        ("data_dir: ''", "1: data_dir: must not be empty"),
        ("data_dir:", "1: data_dir: has no value; write one, or remove the key"),
        ("prot: 1", "1: prot: unknown key (did you mean 'proxy.port'?)"),
        ("zzz: 1",
         "1: zzz: unknown key (known here: aggregate, approvals, audit, data_dir, groups, limits, plugins, "
         "plugins_dir, policy_tests, proxy, quotas, rules, servers, sessions, virtual_servers)"),
        ("limits: {max_body: 2TB}",
         "1: limits.max_body: expected a size like 1048576 (bytes), 512KB or 16MB, not '2TB'"),
        ("limits: {max_body: 2GB}", "1: limits.max_body: must be from 1KB to 1GB"),
        ("servers: {x: {command: x, type: stdio}}",
         "1: servers.x.type: unknown key (a server has a command or a url, and perhaps a transport)"),
    ],
)  # fmt: skip
def test_single_faults(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in faults(tmp_path, text)


def test_a_long_value_is_not_repeated(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, f"proxy: {{port: {'x' * 500}}}")
    assert found == "1: proxy.port: expected a whole number, not something that long"


def test_text_is_not_repeated_when_it_came_from_a_reference(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "proxy: {port: '${env:P}'}", {"P": "hunter2"})
    assert found == "1: proxy.port: expected a whole number"


def test_numbers_and_flags_may_come_from_references(tmp_path: Path) -> None:
    text = "proxy: {port: '${env:P}', auth: {enabled: '${env:A}'}}"
    config = loaded(tmp_path, text, {"P": "9000", "A": "off"})
    assert (config.port, config.auth.enabled) == (9000, False)


# -- files that are no configuration -----------------------------------------------------------------------


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file.*gatekit init"):
        load(tmp_path / "gatekit.yaml", {})


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_other_encodings_are_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    path.write_bytes(b"groups:\n  a: [\xff\xfe]\n")
    with pytest.raises(ConfigError, match=r"gatekit\.yaml:2: not UTF-8"):
        load(path, {})


def test_a_byte_order_mark_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    path.write_bytes(b"\xef\xbb\xbfdata_dir: x\n")
    assert load(path, {}).data_dir == tmp_path / "x"


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    path.write_bytes(b"# " + b"x" * (4 * 1024**2))
    with pytest.raises(ConfigError, match="larger than 4 MB"):
        load(path, {})


def test_a_refusal_tells_which_secret_files_matter(tmp_path: Path) -> None:
    path = write(tmp_path, "data_dir: ${file:missing}\n")
    attempt = try_load(path, {})
    assert isinstance(attempt.outcome, ConfigError)
    assert attempt.files == (tmp_path / "missing",)


def test_loading_needs_no_slow_library() -> None:
    """First answer within 0.6 s of the start: this room may not cost a validation library."""
    slow = ("pydantic", "asyncio", "cryptography")
    code = f"import sys, gatekit.config.load; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
