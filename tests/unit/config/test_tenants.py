"""The common file of several tenants, and what their own files may not do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gatekit.cli import cli
from gatekit.config.model import Config
from gatekit.config.tenants import Tenants, is_tenants_file, load_tenant, load_tenants
from gatekit.errors import ConfigError

ACME = {"host": "acme.gate.example", "config": "acme/gatekit.yaml"}
BETA = {"host": "beta.gate.example", "config": "beta/gatekit.yaml"}
COMMAND = {"servers": {"echo": {"command": ["/bin/cat"], "users": ["*"]}}}


def common(folder: Path, **tenants: Any) -> Path:
    path = folder / "gatekit.yaml"
    document = {"tenants": tenants or {"acme": ACME, "beta": BETA}}
    path.write_text(f"tenants: {json.dumps(document['tenants'])}\n", encoding="utf-8")
    return path


def own(folder: Path, name: str, proxy: dict[str, Any] | None = None, **more: Any) -> None:
    auth = {"provider": "local", "allowed_users": ["*"]}
    proxy = {"public_url": f"https://{name}.gate.example", "auth": auth, **(proxy or {})}
    (folder / name).mkdir(exist_ok=True)
    path = folder / name / "gatekit.yaml"
    path.write_text(json.dumps({"data_dir": "data", "proxy": proxy, **more}), encoding="utf-8")


def loaded(folder: Path, environ: dict[str, str] | None = None, **change: Any) -> Config | ConfigError:
    """What comes of acme's file."""
    tenants: Tenants = load_tenants(common(folder, acme={**ACME, **change}))
    return load_tenant(tenants.tenants[0], tenants, environ or {}).outcome


def refused(folder: Path, environ: dict[str, str] | None = None) -> str:
    outcome = loaded(folder, environ)
    assert isinstance(outcome, ConfigError), "was taken"
    return "\n".join(outcome.faults)


def test_a_common_file_is_told_from_an_ordinary_one(tmp_path: Path) -> None:
    own(tmp_path, "acme")
    assert is_tenants_file(common(tmp_path))
    assert not is_tenants_file(tmp_path / "acme" / "gatekit.yaml")
    assert not is_tenants_file(tmp_path / "none.yaml")


def test_a_good_pair(tmp_path: Path) -> None:
    own(tmp_path, "acme")
    found = load_tenants(common(tmp_path))
    assert [(one.name, one.host, one.enabled, one.allow_commands) for one in found.tenants] == [
        ("acme", "acme.gate.example", True, False),
        ("beta", "beta.gate.example", True, False),
    ]
    outcome = load_tenant(found.tenants[0], found, {}).outcome
    assert isinstance(outcome, Config)
    assert outcome.data_dir == tmp_path / "acme" / "data"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"host": "acme.gate.example"}, "is that of acme"),
        ({"host": "ACME.gate.example"}, "is that of acme"),
        ({"host": "localhost"}, "host name with a dot"),
        ({"host": "10.0.0.1"}, "host name with a dot"),
        ({"host": "beta.gate.example:8080"}, "host name with a dot"),
        ({"host": "*.gate.example"}, "host name with a dot"),
        ({"host": "beta.gate.example."}, "host name with a dot"),
        ({"config": "acme/other.yaml"}, "directory of acme"),
        ({"config": "acme/below/gatekit.yaml"}, "directory of acme"),
        ({"config": "beta/../acme/gatekit.yaml"}, "directory of acme"),
        ({"config": "gatekit.yaml"}, "directory of its own"),
        ({"config": "../gatekit.yaml"}, "directory of its own"),
        ({"data_dir": "x"}, "unknown key"),
    ],
)
def test_tenants_share_nothing(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        load_tenants(common(tmp_path, acme=ACME, beta={**BETA, **change}))


def test_links_do_not_bring_directories_together(tmp_path: Path) -> None:
    own(tmp_path, "acme")
    (tmp_path / "beta").symlink_to(tmp_path / "acme")
    with pytest.raises(ConfigError, match="directory of acme"):
        load_tenants(common(tmp_path))


@pytest.mark.parametrize("name", ["Acme", "a_b", "../x", "acme-eu"])
def test_names(tmp_path: Path, name: str) -> None:
    """``acme-eu`` because GATEKIT_ACME_EU_KEY would be acme's as well."""
    with pytest.raises(ConfigError, match=r"is not a name|reads like acme"):
        load_tenants(common(tmp_path, acme=ACME, **{name: BETA}))


@pytest.mark.parametrize(
    ("proxy", "more", "word"),
    [
        ({"public_url": "https://beta.gate.example"}, {}, "must have the host acme.gate.example"),
        ({"port": 9000}, {}, "common file only"),
        ({"trusted_proxies": ["0.0.0.0/0"]}, {}, "common file only"),
        ({}, {"data_dir": "../beta/data"}, "data_dir"),
        ({}, {"data_dir": "."}, "data_dir"),
        ({}, COMMAND, "tenants start no programs"),
        ({}, {"plugins": [{"use": "process", "command": ["x"]}]}, "tenants start no programs"),
        ({}, {"plugins_dir": "."}, "a tenant brings no code into the gateway"),
        ({}, {"tenants": {}}, "unknown key"),
    ],
)
def test_what_a_tenant_may_not_say(
    tmp_path: Path, proxy: dict[str, Any], more: dict[str, Any], word: str
) -> None:
    own(tmp_path, "acme", proxy, **more)
    assert word in refused(tmp_path)


def test_commands_where_the_common_file_allows_them(tmp_path: Path) -> None:
    own(tmp_path, "acme", **COMMAND)
    assert isinstance(loaded(tmp_path, allow_commands=True), Config)


def test_a_tenant_cannot_switch_sign_in_off(tmp_path: Path) -> None:
    own(tmp_path, "acme", {"auth": {"enabled": False}})
    assert "auth.enabled" in refused(tmp_path)


def test_secrets_of_others_cannot_be_read(tmp_path: Path) -> None:
    """Neither variables nor files, and it is not told whether they exist."""
    (tmp_path / "beta").mkdir()
    (tmp_path / "beta" / "secret").write_text("of beta", encoding="utf-8")
    environ = {"GATEKIT_BETA_KEY": "of beta", "PATH": "/bin", "GATEKIT_ACME_KEY": "Acme"}
    for reference in ("${env:GATEKIT_BETA_KEY}", "${env:PATH}"):
        own(
            tmp_path,
            "acme",
            groups={reference: []},
            servers={"x": {"url": "https://x.example", "title": reference}},
        )
        assert "is not set" in refused(tmp_path, environ)
    (tmp_path / "acme" / "link").symlink_to(tmp_path / "beta" / "secret")
    for name in ("../beta/secret", "../beta/none", str(tmp_path / "beta" / "secret"), "link"):
        own(tmp_path, "acme", servers={"x": {"url": "https://x.example", "title": f"${{file:{name}}}"}})
        assert "outside of the directory" in refused(tmp_path, environ)
    own(tmp_path, "acme", servers={"x": {"url": "https://x.example", "title": "${env:GATEKIT_ACME_KEY}"}})
    outcome = loaded(tmp_path, environ)
    assert isinstance(outcome, Config)
    assert outcome.servers[0].server.title == "Acme"


def test_the_example_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "tenants.md").read_text(encoding="utf-8")
    examples = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", page, re.DOTALL))
    assert sorted(examples) == ["acme/gatekit.yaml", "gatekit.yaml"]
    (tmp_path / "acme").mkdir()
    for name, text in examples.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert is_tenants_file(tmp_path / "gatekit.yaml")
    found = load_tenants(tmp_path / "gatekit.yaml")
    outcome = load_tenant(found.tenants[0], found, {}).outcome
    assert isinstance(outcome, Config), outcome


def test_the_commands(tmp_path: Path) -> None:
    own(tmp_path, "acme")
    own(tmp_path, "beta", **COMMAND)
    path = str(common(tmp_path))
    listed = CliRunner().invoke(cli, ["tenants", "list", "--config", path, "--json"])
    assert [row["tenant"] for row in json.loads(listed.output)] == ["acme", "beta"]
    checked = CliRunner().invoke(cli, ["tenants", "check", "--config", path])
    assert checked.exit_code == 2
    assert "acme: ok" in checked.output
    assert "beta: beta/gatekit.yaml: servers.echo.command: tenants start no programs" in checked.output
