"""docs/configuration.md against the schema: every setting, its default, and examples that load."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from gatekit.config import provider_schema, schema
from gatekit.config.fields import Duration, Section, Size, kinds
from gatekit.config.load import load
from gatekit.config.reload import NEEDS_RESTART
from gatekit.config.units import show_seconds, show_size
from tests.unit.config.write import faults, write

DOCUMENT = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([\w.<>]+)` \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
ROWS = {
    name.replace("<name>", "*"): (kind, default, text) for name, kind, default, text in ROW.findall(DOCUMENT)
}

ALIASES = {
    # Defaults that depend on something else; the document says on what.
    "proxy.public_url": "`http://localhost:<port>` on loopback, else required",
    "proxy.auth.provider": "`local`",
    "proxy.auth.base_url": "`https://github.com`",
    "proxy.auth.api_url": "derived",
    **{
        f"proxy.auth.providers.<{kind}>.{key}": words
        for kind in ("oidc", "google", "entra", "okta")
        for key, words in {"auth_method": "by what the provider supports", "scopes": "by the kind"}.items()
    },
    "proxy.auth.providers.<github>.client_id": "required",
    "proxy.auth.providers.<github>.client_secret": "required",
    "proxy.auth.providers.<github>.base_url": "`https://github.com`",
    "proxy.auth.providers.<github>.api_url": "derived",
    "proxy.auth.providers.<saml>.metadata": "required",
    "proxy.auth.providers.<saml>.own_entity_id": "the address of our metadata",
    **{
        f"proxy.auth.providers.*.map.{key}": "by the kind"
        for key in ("login", "email", "display_name", "groups")
    },
    "proxy.auth.providers.*.provisioning.match": "the subject",
    "proxy.auth.providers.*.type": "the name, if it is one of these",
    "proxy.auth.providers.*.title": "by the kind, or the name",
    "proxy.auth.resources.*.title": "the name",
    "proxy.auth.clients.*.name": "the name of the entry",
    "proxy.auth.clients.*.auth_method": "by what is written besides",
    "proxy.auth.clients.*.grant_types": "by `redirect_uris`",
    "servers.*.name": "required in the list form",
    "servers.*.command": "required without a `url`",
    "servers.*.max_instances": "`50`, for a `url` `1000`",
    "servers.*.max_instances_per_user": "`10`, for a `url` `100`",
    "servers.*.cwd": "folder of the file",
    "servers.*.title": "the name",
    "plugins.*.name": "the same as `use`",
    "plugins.*.priority": "by the plugin",
    "plugins.*.deadline": "by the plugin, mostly `5s`",
    "plugins.*.on_error": "`closed`, `open` for those that only look",
    "rules.*.reason": "none",
    "virtual_servers.*.title": "the name",
    "virtual_servers.*.instructions": "those of the servers",
    **{
        f"virtual_servers.*.{kind}.*.{key}": words
        for kind in ("tools", "prompts")
        for key, words in {
            "name": "the same name",
            "title": "the server's",
            "description": "the server's",
        }.items()
    },
    "proxy.auth.providers.<ldap>.urls": "required",
    "proxy.auth.providers.<ldap>.ca_file": "those of the system",
    "proxy.auth.providers.<ldap>.users.base": "required",
    "proxy.auth.providers.<ldap>.group_search.base": "required",
    "proxy.auth.providers.<ldap>.group_search.name": "`cn`",
    "proxy.auth.providers.<ldap>.users.filter": "by `directory`",
    "proxy.auth.providers.<ldap>.users.subject": "by `directory`",
    "proxy.auth.providers.<ldap>.group_search.filter": "by `directory`",
    "proxy.auth.providers.<ldap>.group_search.nesting": "by `directory`",
}
ACCESS = ("allowed_users", "allowed_groups", "users")


def shown(path: str, default: Any) -> str:
    """A default as the document writes it."""
    if path in ALIASES:
        return ALIASES[path]
    place, _, key = path.rpartition(".")
    kind, _ = kinds(schema.PLACES[place])[key]
    if default is ...:
        return "required"
    if default is None:
        return "absent" if key in ACCESS else "none"
    if isinstance(kind, Duration):
        return f"`{show_seconds(default)}`"
    if isinstance(kind, Size):
        return f"`{show_size(default)}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, (tuple, dict)):
        return f"`[{', '.join(default)}]`" if default else "none"
    return f"`{default}`"


def test_every_setting_is_described_and_nothing_else() -> None:
    assert set(ROWS) == set(schema.settings())


@pytest.mark.parametrize("path", schema.settings())
def test_defaults_are_the_ones_in_the_schema(path: str) -> None:
    assert ROWS[path][1] == shown(path, schema.settings()[path])


@pytest.mark.parametrize("path", schema.settings())
def test_bounds_of_durations_and_sizes_are_named(path: str) -> None:
    place, _, key = path.rpartition(".")
    kind, _ = kinds(schema.PLACES[place])[key]
    if isinstance(kind, Duration):
        least = show_seconds(kind.least) if kind.least else "0"
        assert f"{least} to {show_seconds(kind.most)}" in ROWS[path][2]
    elif isinstance(kind, Size):
        assert f"{show_size(kind.least)} to {show_size(kind.most)}" in ROWS[path][2]


def test_what_waits_for_a_restart_is_marked() -> None:
    waiting = (*NEEDS_RESTART.values(), "proxy.auth.enabled")
    for path, (_, _, text) in ROWS.items():
        expected = any(path == name or path.startswith(f"{name}.") for name in waiting)
        assert ("*restart*" in text) == expected, path


def test_every_section_of_the_schema_has_its_place() -> None:
    sections = {
        value
        for value in (*vars(schema).values(), *vars(provider_schema).values())
        if inspect.isclass(value) and issubclass(value, Section) and value is not Section
    }
    inherited = {provider_schema.GitHubKeys, provider_schema.OpenIdIn, schema.ServerIn}
    assert sections - inherited == set(schema.PLACES.values())


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_examples_load(tmp_path: Path, text: str) -> None:
    text = text.replace("${file:/run/secrets/", "${file:")
    (tmp_path / "github-work").write_text("s")
    (tmp_path / "ldap").write_text("s")
    (tmp_path / "reports").write_text("a secret of thirty-two characters")
    assert load(
        write(tmp_path, text), {"GITHUB_CLIENT_SECRET": "s", "CRM_TOKEN": "t", "CI_BOT_SECRET": "x" * 32}
    )


def test_the_faults_shown_are_real(tmp_path: Path) -> None:
    (block,) = re.findall(r"```\n(gatekit\.yaml:14:.*?)```", DOCUMENT, re.DOTALL)
    found = faults(
        tmp_path,
        "servers:\n  database:\n    comand: x\n    allowed_users: alice\n"
        "proxy:\n  auth:\n    provider: github\n    client_id: x\n"
        "    client_secret: ${env:GITHUB_CLIENT_SECRET}\n",
    )
    assert sorted(line.split(": ", 1)[1] for line in found) == sorted(
        line.split(": ", 1)[1] for line in block.splitlines()
    )
