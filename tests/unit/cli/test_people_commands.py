"""The commands for people, as they are typed: real files, one process each way."""

from __future__ import annotations

import inspect
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from gatekit.cli import COMMANDS, cli
from gatekit.cli.context import Workspace
from gatekit.errors import AuditUnavailable, ConfigError, GatekitError
from gatekit.store.sql.store import open_store
from tests.contract.samples import client, code, grant

Run = Callable[..., Result]

CONFIG = """
data_dir: data
proxy:
  public_url: https://gate.example.com
  auth: {enabled: true, provider: local, allowed_users: [alice]}
servers:
  files: {command: /bin/cat}
  time: {command: /bin/cat}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``gatekit …``; errors come out as exceptions, as ``main`` gets them."""
    (tmp_path / "gatekit.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    def typed(*words: str, input: str | None = None, ok: bool = True) -> Result:
        result = CliRunner().invoke(cli, words, input=input)
        if ok and result.exception is not None:
            raise result.exception
        return result

    return typed


def refused(run: Run, *words: str, **how: Any) -> str:
    result = run(*words, ok=False, **how)
    assert isinstance(result.exception, GatekitError), result.output
    text = str(result.exception)
    assert "\n" not in text
    return text


def trail(run: Run) -> list[str]:
    lines = run("audit", "--data-dir", "data", "tail", "-n", "100", "--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    return [f"{e['action']} {e.get('target') or e.get('owner') or e.get('client_id')}" for e in events[1:]]


def test_from_a_new_person_to_none(run: Run) -> None:
    run("groups", "create", "developers")
    added = run("users", "add", "alice", "--group", "developers", "--email", "alice@example.com")
    assert added.stdout.startswith("https://gate.example.com/invite/gk_inv_")
    assert "good until" in added.stderr
    assert run("users", "invite", "alice").stdout != added.stdout
    (alice,) = json.loads(run("users", "list", "--json").stdout)
    assert (alice["username"], alice["groups"], alice["state"]) == ("alice", ["developers"], "invited")
    assert "developers" in run("users", "list").stdout
    run("keys", "create", "alice", "--name", "laptop")
    shown = run("users", "show", "alice").stdout
    assert "alice@example.com" in shown
    assert "laptop" in shown
    told = json.loads(run("users", "show", "alice", "--json").stdout)
    assert [row["name"] for row in told["keys"]] == ["laptop"]
    assert [row["connection"] for row in told["identities"]] == ["local"]
    assert (told["sessions"], told["grants"], told["admin_keys"]) == ([], [], [])
    run("users", "disable", "alice")
    assert json.loads(run("users", "show", "alice", "--json").stdout)["state"] == "disabled"
    run("users", "enable", "alice")
    kept = run("users", "delete", "alice", input="n\n", ok=False)
    assert kept.exit_code == 1
    assert run("users", "delete", "alice", "--yes").stdout == "alice was deleted\n"
    assert "there is nobody yet" in run("users", "list").stderr
    assert trail(run) == [
        "group.create developers",
        "user.create alice",
        "user.invite alice",
        "user.invite alice",
        "created alice",
        "user.disable alice",
        "user.enable alice",
        "user.delete alice",
    ]


def test_passwords_come_from_standard_input_or_a_question(run: Run) -> None:
    added = run("users", "add", "alice", "--password-stdin", input="correct horse\n")
    assert added.stdout == "alice was added\n"
    (alice,) = json.loads(run("users", "list", "--json").stdout)
    assert alice["state"] == "active"
    run("users", "password", "alice", "--password-stdin", input="another horse\n")
    asked = run("users", "password", "alice", input="third horse\nthird horse\n")
    assert "horse" not in asked.output
    assert "8 characters" in refused(run, "users", "add", "bob", "--password-stdin", input="short\n")
    assert "no password" in refused(run, "users", "add", "bob", "--password-stdin", input="")
    both = run("users", "add", "bob", "--password-stdin", "--invite", input="x\n", ok=False)
    assert both.exit_code == 2
    assert [row["username"] for row in json.loads(run("users", "list", "--json").stdout)] == ["alice"]


def test_groups(run: Run) -> None:
    for name in ("alice", "bob"):
        run("users", "add", name)
    run("groups", "create", "dev")
    run("groups", "add", "dev", "alice", "bob")
    run("groups", "remove", "dev", "bob")
    (dev,) = json.loads(run("groups", "list", "--json").stdout)
    assert (dev["name"], dev["source"], dev["members"], dev["size"]) == ("dev", "local", ["alice"], 1)
    assert run("groups", "list").stdout.split() == [
        "GROUP",
        "MEMBERS",
        "NESTED",
        "RULE",
        "dev",
        "alice",
        "-",
        "-",
    ]
    assert run("groups", "delete", "dev", "--yes").stdout == "dev was deleted; it had 1 member\n"
    assert "no groups" in run("groups", "list").stderr
    assert "no group dev" in refused(run, "groups", "add", "dev", "alice")


def test_roles_identities_and_sessions(run: Run) -> None:
    for name in ("alice", "bob"):
        run("users", "add", name)
    assert run("users", "role", "alice", "owner").stdout == "alice is owner now\n"
    assert "last owner" in refused(run, "users", "disable", "alice")
    okta = ("--connection", "okta", "--issuer", "https://acme.okta.com", "--subject", "00u1")
    run("users", "link", "bob", *okta, "--login", "bob@example.com")
    home, linked = json.loads(run("users", "identities", "bob", "--json").stdout)
    assert (home["connection"], linked["login"]) == ("local", "bob@example.com")
    assert "00u1" in run("users", "identities", "bob").stdout
    run("users", "unlink", "bob", "--connection", "okta")
    assert "okta" not in run("users", "identities", "bob").stdout
    assert json.loads(run("users", "sessions", "bob", "--json").stdout) == []
    assert "nowhere" in run("users", "sessions", "bob").stderr
    assert run("users", "sessions", "bob", "--end").stdout == "bob is signed out everywhere\n"
    assert json.loads(run("users", "grants", "bob", "--json").stdout) == []
    assert "nothing" in run("users", "grants", "bob").stderr
    assert [
        each["username"] for each in json.loads(run("users", "list", "--role", "owner", "--json").stdout)
    ] == ["alice"]
    paged = run("users", "list", "--limit", "1", "--json")
    assert [each["username"] for each in json.loads(paged.stdout)] == ["alice"]
    assert "--after alice" in paged.stderr


def test_somebody_is_forgotten(run: Run, tmp_path: Path) -> None:
    run("users", "add", "alice", "--email", "alice@example.com", "--name", "Alice Doe")
    run("groups", "create", "dev")
    run("groups", "add", "dev", "alice")
    run("users", "add", "bob")
    run("users", "delete", "alice", "--audit", "pseudonymise", "--yes")
    shown = run("audit", "search", "--json").stdout
    assert "alice" not in shown.lower()
    assert "Doe" not in shown
    assert "bob" in shown
    forgotten = next(json.loads(line) for line in shown.splitlines() if "user.forget" in line)
    assert forgotten["target"].startswith("person-")
    for table in (run("audit", "tail").stdout, run("audit", "search").stdout):
        assert "alice" not in table
        assert forgotten["target"][:11] in table
    assert "no records" in run("audit", "search", "--user", "alice").stderr
    assert run("audit", "verify").stdout.startswith("ok"), "the files are as they were"
    raw = sqlite3.connect(tmp_path / "data" / "gatekit.db")
    dump = "\n".join(line for line in raw.iterdump() if "pseudonyms" in line)
    raw.close()
    assert "alice" not in dump


def test_people_come_from_a_file_and_go_to_one(run: Run, tmp_path: Path) -> None:
    run("groups", "create", "dev")
    sheet = tmp_path / "people.csv"
    sheet.write_text("username,email,groups\nalice,a@example.com,dev\nbob,,\n", encoding="utf-8")
    planned = run("users", "import", str(sheet), "--dry-run")
    assert ("create" in planned.stdout, planned.stderr) == (True, "2 create\n")
    assert json.loads(run("users", "list", "--json").stdout) == []
    assert run("users", "import", str(sheet)).stderr == "2 create\n"
    assert run("users", "import", str(sheet)).stderr == "2 nothing\n"
    exported = run("users", "export", "--format", "json").stdout
    assert [each["username"] for each in json.loads(exported)] == ["alice", "bob"]
    assert (
        run("users", "import", "-", "--format", "json", "--dry-run", input=exported).stderr == "2 nothing\n"
    )
    assert run("users", "export").stdout.startswith("username,email,display_name,role")
    sheet.write_text("username\nBAD NAME\n", encoding="utf-8")
    assert "line 2" in str(run("users", "import", str(sheet), ok=False).exception)
    sheet.write_bytes(b"username\n\xff\n")
    assert "UTF-8" in refused(run, "users", "import", str(sheet))


def test_groups_nest_and_have_rules(run: Run) -> None:
    for name in ("staff", "dev"):
        run("groups", "create", name)
    run("groups", "nest", "staff", "dev")
    assert "holds" in refused(run, "groups", "nest", "dev", "staff")
    run("groups", "rule", "dev", "group:okta/Engineering", "ada@example.com")
    shown = json.loads(run("groups", "show", "dev", "--json").stdout)
    assert (shown["parents"], shown["rule"]) == (["staff"], ["group:okta/Engineering", "ada@example.com"])
    assert "Engineering" in run("groups", "show", "dev").stdout
    assert "nobody in particular" in refused(run, "groups", "rule", "dev", "alice")
    run("groups", "rule", "dev", "--clear")
    run("groups", "unnest", "staff", "dev")
    shown = json.loads(run("groups", "show", "dev", "--json").stdout)
    assert (shown["parents"], shown["rule"]) == ([], [])
    assert "no group okta" not in refused(run, "groups", "show", "okta/Engineering")


def test_groups_come_from_a_file_and_go_to_one(run: Run, tmp_path: Path) -> None:
    sheet = tmp_path / "groups.csv"
    sheet.write_text("name,children\nstaff,dev\ndev,\n", encoding="utf-8")
    planned = run("groups", "import", str(sheet), "--dry-run")
    assert ("staff" in planned.stdout, planned.stderr) == (True, "2 create\n")
    assert run("groups", "import", str(sheet)).stderr == "2 create\n"
    exported = run("groups", "export", "--format", "json").stdout
    assert [each["children"] for each in json.loads(exported)] == [[], ["dev"]]
    again = run("groups", "import", "-", "--format", "json", "--dry-run", input=exported)
    assert again.stderr == "2 nothing\n"
    assert run("groups", "export").stdout.startswith("name,title,members,children,rule\n")


def test_service_accounts(run: Run) -> None:
    run("groups", "create", "readers")
    made = run("service-accounts", "create", "nightly", "--group", "readers", "--title", "export").stdout
    assert made.startswith("service:nightly was made")
    run("keys", "create", "service:nightly", "--name", "cron")
    (account,) = json.loads(run("service-accounts", "list", "--json").stdout)
    assert (account["name"], account["groups"], account["keys"], account["disabled"]) == (
        "nightly",
        ["readers"],
        1,
        False,
    )
    assert run("service-accounts", "disable", "nightly").stdout == "service:nightly is disabled\n"
    assert "disabled" in run("service-accounts", "list").stdout
    run("service-accounts", "enable", "nightly")
    run("service-accounts", "delete", "nightly", "--yes")
    assert "there are none" in run("service-accounts", "list").stderr


def test_keys(run: Run) -> None:
    run("users", "add", "alice")
    made = run("keys", "create", "alice", "--name", "laptop", "--servers", "files,time", "--expires", "30d")
    assert made.stdout.startswith("gk_key_")
    assert made.stdout.count("\n") == 1, "only the key, so that it can be piped"
    as_json = json.loads(run("keys", "create", "alice", "--name", "ci", "-s", "files", "--json").stdout)
    assert as_json["token"].startswith("gk_key_")
    laptop, ci = json.loads(run("keys", "list", "--json").stdout)
    assert (laptop["servers"], laptop["owner"], laptop["state"]) == (["files", "time"], "alice", "active")
    table = run("keys", "list", "--user", "alice").stdout
    assert laptop["id"] in table
    assert made.stdout.strip() not in table
    run("keys", "revoke", ci["id"], "--yes")
    assert json.loads(run("keys", "list", "--json").stdout)[1]["state"] == "revoked"
    assert "no server fils" in refused(run, "keys", "create", "alice", "--name", "x", "--server", "fils")
    assert "year" in refused(run, "keys", "create", "alice", "--name", "x", "--expires", "400d")
    unclear = run("keys", "create", "alice", "--name", "x", "--expires", "soon", ok=False)
    assert unclear.exit_code == 2
    assert "soon" in unclear.output
    assert trail(run)[2:] == ["created alice", "created alice", "revoked alice"]


async def _grant_something(path: Path) -> None:
    store = await open_store(path)
    try:
        alice = await store.users.by_username("alice")
        assert alice is not None
        await store.clients.add(client(name="\x1b[31mEvil\nName"))
        for number in ("1", "2"):
            given = grant(f"grt_{number}", user_id=alice.id, expires_at=4_000_000_000)
            await store.grants.approve(given, code(number, grant_id=given.id))
    finally:
        await store.close()


async def _client_with_a_secret(path: Path) -> None:
    store = await open_store(path)
    try:
        await store.clients.add(client(auth_method="client_secret_basic", secret_hash="x"))
    finally:
        await store.close()


def test_a_client_gets_another_secret(run: Run, tmp_path: Path) -> None:
    import asyncio

    run("users", "add", "alice")
    asyncio.run(_client_with_a_secret(tmp_path / "data" / "gatekit.db"))
    made = run("clients", "renew-secret", "cli_1", "--overlap", "12h")
    assert made.stdout.startswith("gk_cs_")
    assert made.stdout.count("\n") == 1, "only the secret, so that it can be piped"
    found = json.loads(run("clients", "renew-secret", "cli_1", "--overlap", "0", "--json").stdout)
    assert (found["id"], found["overlap_seconds"]) == ("cli_1", 0)
    shown = run("clients", "show", "cli_1").stdout + run("clients", "list").stdout
    assert "secret" in shown
    assert made.stdout.strip() not in shown
    assert trail(run)[2:] == ["changed cli_1", "changed cli_1"]


def test_clients_and_grants(run: Run, tmp_path: Path) -> None:
    import asyncio

    assert "no client" in run("clients", "list").stderr
    run("users", "add", "alice")
    asyncio.run(_grant_something(tmp_path / "data" / "gatekit.db"))
    for shown in (run("clients", "list"), run("clients", "show", "cli_1"), run("grants", "list")):
        assert "\x1b" not in shown.stdout
        assert "Evil�Name" in shown.stdout
    assert json.loads(run("clients", "list", "--json").stdout)[0]["id"] == "cli_1"
    assert json.loads(run("clients", "show", "cli_1", "--json").stdout)["disabled"] is False
    run("clients", "disable", "cli_1")
    run("clients", "enable", "cli_1")
    run("grants", "revoke", "grt_1", "--yes")
    listed = json.loads(run("grants", "list", "--user", "alice", "--all", "--json").stdout)
    assert [(row["id"], row["state"]) for row in listed] == [("grt_1", "revoked"), ("grt_2", "active")]
    assert run("grants", "revoke", "--user", "alice", "--yes").stdout == "1 grant of alice revoked\n"
    assert run("grants", "revoke", ok=False).exit_code == 2
    assert run("grants", "revoke", "grt_1", "--user", "alice", ok=False).exit_code == 2
    assert "has no secret" in refused(run, "clients", "renew-secret", "cli_1")
    run("clients", "delete", "cli_1", "--yes")
    assert trail(run)[2:] == [
        "disabled cli_1",
        "enabled cli_1",
        "grant.revoke grt_1",
        "grant.revoke grt_2",
        "deleted cli_1",
    ]


def test_where_a_command_works(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("users", "add", "alice")
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    with pytest.raises(ConfigError, match=r"gatekit\.yaml"):
        run("users", "list")
    config, data = str(tmp_path / "gatekit.yaml"), str(tmp_path / "data")
    for words in (
        ("users", "list", "--config", config),
        ("users", "--config", config, "list"),
        ("users", "list", "--data-dir", data),
        ("users", "--data-dir", data, "list"),
    ):
        assert "alice" in run(*words).stdout, words
    monkeypatch.setenv("GATEKIT_CONFIG", config)
    assert "alice" in run("users", "list").stdout
    assert "no such directory" in refused(run, "users", "list", "--data-dir", str(tmp_path / "nowhere"))
    bare = run("users", "invite", "alice", "--data-dir", data)
    assert bare.stdout.startswith("/invite/gk_inv_")
    assert "address" in bare.stderr


def test_reading_leaves_no_trace_and_needs_no_trail(run: Run, tmp_path: Path) -> None:
    run("users", "list")
    assert not (tmp_path / "data" / "audit").exists()


def test_a_command_that_only_reads_cannot_change(tmp_path: Path) -> None:
    workspace = Workspace(data_dir=tmp_path)
    with pytest.raises(AuditUnavailable):
        workspace.read(lambda office: office.groups.create(office.actor, "dev"))


def test_a_damaged_database_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gatekit.db").write_bytes(b"nonsense" * 1000)
    assert "restore it from a backup" in refused(run, "users", "list")
    assert "restore it from a backup" in refused(run, "users", "add", "alice")


def test_the_database_holds_no_secret(run: Run, tmp_path: Path) -> None:
    link = run("users", "add", "alice").stdout.strip()
    key = run("keys", "create", "alice", "--name", "x").stdout.strip()
    run("users", "password", "alice", "--password-stdin", input="correct horse\n")
    raw = sqlite3.connect(tmp_path / "data" / "gatekit.db")
    dump = "\n".join(raw.iterdump())
    raw.close()
    audit = "".join(path.read_text() for path in (tmp_path / "data" / "audit").rglob("*.jsonl"))
    for secret in (link.rpartition("/")[2], key, "correct horse"):
        assert secret not in dump
        assert secret not in audit


@pytest.mark.parametrize("name", ["users", "groups", "service-accounts", "keys", "clients", "grants"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    group = cli.get_command(click.Context(cli), name)
    assert isinstance(group, click.Group)
    assert COMMANDS[name][2] == group.short_help
    for command in (group, *group.commands.values()):
        text = inspect.cleandoc(command.help or "")
        assert f"Example:\n  gatekit {name}" in text, command.name
