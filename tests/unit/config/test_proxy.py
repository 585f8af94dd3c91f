"""Addresses, providers, and settings that are too weak to start with."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.addresses import is_loopback, listen_host, network, origin, secure_origin
from gatekit.config.model import GitHubConnection, LocalConnection
from gatekit.errors import ConfigError
from gatekit.model.connections import (
    Admit,
    AttributeNames,
    ConnectionRules,
    GroupRules,
    Provisioning,
    Signals,
)
from tests.unit.config.write import faults, loaded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://Mcp.Example.com/", "https://mcp.example.com"),
        ("https://mcp.example.com:443", "https://mcp.example.com"),
        ("https://mcp.example.com:8443", "https://mcp.example.com:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_origins(text: str, expected: str) -> None:
    assert origin(text) == expected
    assert origin(expected) == expected


@pytest.mark.parametrize(
    "text",
    ["", "mcp.example.com", "ftp://x", "https://", "https://x/mcp", "https://x?a", "https://x?", "https://x#",
     "https://u:p@x", "https://@x", "https://x:99999", "https://x:y", "https://[::1", "https://münchen.example",
     "https://a b", "https://a%2fb", "https://a\\b", "javascript://x", "//x"],
)  # fmt: skip
def test_no_origins(text: str) -> None:
    with pytest.raises(ValueError):
        origin(text)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.com", "127.0.0.1.nip.io", "", "0"]
)
def test_no_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_plain_http_only_on_this_machine() -> None:
    assert secure_origin("http://localhost:1") == "http://localhost:1"
    with pytest.raises(ValueError, match="must be https"):
        secure_origin("http://mcp.example.com")


def test_hosts_and_networks() -> None:
    assert listen_host("[::1]") == "::1"
    assert listen_host("My-Host.example") == "my-host.example"
    assert network("10.1.2.3/8") == "10.0.0.0/8"
    assert network("::1") == "::1/128"
    for text in ("", "a b", "x/y", "-"):
        with pytest.raises(ValueError):
            listen_host(text)
        with pytest.raises(ValueError):
            network(text)


# -- where it is --------------------------------------------------------------------------------------------


def test_public_url_follows_the_port_on_loopback(tmp_path: Path) -> None:
    assert loaded(tmp_path, "proxy: {port: 9}").public_url == "http://localhost:9"
    assert loaded(tmp_path, "proxy: {host: '::1'}").public_url == "http://localhost:8080"


def test_public_url_is_normalised(tmp_path: Path) -> None:
    config = loaded(tmp_path, "proxy: {host: 0.0.0.0, public_url: 'https://MCP.example.com:443/'}")
    assert config.public_url == "https://mcp.example.com"


def test_public_url_is_required_off_loopback(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "proxy: {host: 0.0.0.0}")
    assert found.startswith("1: proxy.public_url: is required when the gateway listens on 0.0.0.0")


def test_public_url_off_loopback_must_be_https(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "proxy: {public_url: 'http://mcp.example.com'}")
    assert found == "1: proxy.public_url: must be https (plain http is only acceptable on this machine)"


def test_a_wide_listener_with_a_local_url_is_worth_a_note(tmp_path: Path) -> None:
    (note,) = loaded(tmp_path, "proxy: {host: 0.0.0.0, public_url: 'http://localhost:8080'}").notes
    assert "plain http while the gateway listens on 0.0.0.0" in note


@pytest.mark.parametrize(
    "proxy", ["host: 0.0.0.0, public_url: 'https://x.example'", "public_url: 'https://x.example'"]
)
def test_authentication_may_only_be_off_on_this_machine(tmp_path: Path, proxy: str) -> None:
    (found,) = faults(tmp_path, f"proxy: {{{proxy}, auth: {{enabled: false}}}}")
    assert found.startswith("1: proxy.auth.enabled: may only be false while")
    config = loaded(tmp_path, "proxy: {auth: {enabled: false}}")
    assert not config.auth.enabled
    assert not config.rules.auth_enabled


def test_lists_of_origins_networks_and_schemes(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
        proxy:
          allowed_origins: ["https://App.example/", "http://localhost:6274"]
          trusted_proxies: [10.0.0.0/8, 127.0.0.1]
          auth: {registration: {private_use_schemes: ["cursor://", VSCode]}}
        """,
    )
    assert config.allowed_origins == ("https://app.example", "http://localhost:6274")
    assert config.trusted_proxies == ("10.0.0.0/8", "127.0.0.1/32")
    assert config.registration.private_use_schemes == ("cursor", "vscode")


@pytest.mark.parametrize("scheme", ["javascript", "data:", "http", "https://", "file", "1x", "a b"])
def test_schemes_that_can_never_be_private(tmp_path: Path, scheme: str) -> None:
    (found,) = faults(tmp_path, f"proxy: {{auth: {{registration: {{private_use_schemes: ['{scheme}']}}}}}}")
    assert found.startswith("1: proxy.auth.registration.private_use_schemes[0]: ")


@pytest.mark.parametrize("entry", ["'*'", "https://x/path", "null"])
def test_origins_are_exact(tmp_path: Path, entry: str) -> None:
    (found,) = faults(tmp_path, f"proxy: {{allowed_origins: [{entry}]}}")
    assert found.startswith("1: proxy.allowed_origins[0]: ")


# -- providers ----------------------------------------------------------------------------------------------


GH = "type: github, client_id: a, client_secret: b"


def gh(keys: str) -> str:
    return f"providers: {{gh: {{{GH}, {keys}}}}}"


def github(folder: Path, **keys: str) -> GitHubConnection:
    written = "".join(f", {key}: '{value}'" for key, value in keys.items())
    text = f"proxy: {{auth: {{provider: github, client_id: id, client_secret: s{written}}}}}"
    (connection,) = loaded(folder, text).auth.connections
    assert isinstance(connection, GitHubConnection)
    return connection


@pytest.mark.parametrize(
    ("keys", "base", "api"),
    [
        ({}, "https://github.com", "https://api.github.com"),
        ({"base_url": "https://GHE.corp/"}, "https://ghe.corp", "https://ghe.corp/api/v3"),
        ({"base_url": "https://octo.ghe.com"}, "https://octo.ghe.com", "https://api.octo.ghe.com"),
        ({"base_url": "http://127.0.0.1:4000", "api_url": "http://127.0.0.1:4000/"},
         "http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ({"api_url": "https://Ghe.corp/api/v3/"}, "https://github.com", "https://ghe.corp/api/v3"),
    ],
)  # fmt: skip
def test_where_github_is(tmp_path: Path, keys: dict[str, str], base: str, api: str) -> None:
    connection = github(tmp_path, **keys)
    assert (connection.base_url, connection.api_url) == (base, api)


def test_several_providers(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
        proxy:
          auth:
            providers:
              local:
              github: {client_id: a, client_secret: b, allowed_orgs: [acme]}
              work: {type: github, base_url: "https://ghe.corp", client_id: c, client_secret: d, title: Work}
        """,
    )
    local, public, work = config.auth.connections
    assert local == LocalConnection()
    assert isinstance(public, GitHubConnection)
    assert isinstance(work, GitHubConnection)
    assert (public.name, public.title, public.allowed_orgs) == ("github", "GitHub", ("acme",))
    assert (work.name, work.title, work.api_url) == ("work", "Work", "https://ghe.corp/api/v3")
    assert config.auth.default_connection == "local"


def test_what_all_kinds_have_in_common(tmp_path: Path) -> None:
    (connection,) = loaded(
        tmp_path,
        f"""
        proxy:
          auth:
            providers:
              gh:
                {GH.replace(", ", chr(10) + " " * 16)}
                enabled: false
                domains: [Example.COM, "@example.org"]
                admit: {{domains: [example.com], groups: [acme/platform]}}
                create: false
                link: true
                trusted_domains: [example.com]
                map: {{login: /custom/upn, groups: roles}}
                groups: {{map: {{acme/platform: developers}}, keep: false}}
                provisioning: {{match: oid}}
                ssf: {{issuer: "https://idp", audience: us, jwks_uri: "https://idp.example/jwks"}}
        """,
    ).auth.connections
    assert connection.rules == ConnectionRules(
        enabled=False,
        domains=("example.com", "example.org"),
        admit=Admit(domains=("example.com",), groups=("acme/platform",)),
        create=False,
        link=True,
        trusted_domains=("example.com",),
        names=AttributeNames(login="/custom/upn", groups="roles"),
        groups=GroupRules(mapped=(("acme/platform", "developers"),), keep=False),
        provisioning=Provisioning(match="oid"),
        signals=Signals(issuer="https://idp", audience="us", jwks_uri="https://idp.example/jwks"),
    )


def test_an_entry_without_provisioning_has_none(tmp_path: Path) -> None:
    text = f"proxy: {{auth: {{providers: {{a: {{{GH}, provisioning: }}, b: {{{GH}}}}}}}}}"
    on, off = loaded(tmp_path, text).auth.connections
    assert on.rules.provisioning == Provisioning()
    assert off.rules.provisioning is None


def test_a_single_entry_is_the_default(tmp_path: Path) -> None:
    config = loaded(
        tmp_path, "proxy: {auth: {providers: {gh: {type: github, client_id: a, client_secret: b}}}}"
    )
    assert config.auth.default_connection == "gh"


def test_two_connections_with_one_token_are_a_fault(tmp_path: Path) -> None:
    """Whoever comes with it could be either."""
    token = "provisioning: {token: 0123456789abcdef0123456789abcdef}"
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"proxy: {{auth: {{providers: {{a: {{{GH}, {token}}}, b: {{{GH}, {token}}}}}}}}}")
    (fault,) = caught.value.faults
    assert "providers.b.provisioning.token: is the token of a as well" in fault
    assert "0123456789" not in fault


@pytest.mark.parametrize(
    ("auth", "fault"),
    [
        (
            "provider: githb",
            "provider: unknown provider 'githb' (did you mean 'github'?); known: local, github; ",
        ),
        ("provider: github, client_id: a", "client_secret: is required for github"),
        ("client_id: a", "client_id: needs `provider: github`"),
        ("provider: local, providers: {local: }", "providers: write either provider or providers, not both"),
        ("providers: {}", "providers: names no provider; write local or github"),
        (
            "providers: {local: {client_id: a}}",
            "providers.local.client_id: is not used by `type: local` (but by github",
        ),
        ("providers: {x: {}}", "providers.x: needs a type: local or github"),
        ("providers: {x: {type: local}}", "providers.x: the connection `local` is the embedded one"),
        ("providers: {local: {domains: [a.b]}}", "providers.local.domains: is not used by `type: local`"),
        ("providers: {x: {type: githb}}", "providers.x.type: unknown provider 'githb' (did you mean 'git"),
        (gh("domains: ['a b']"), "providers.gh.domains[0]: expected a domain"),
        (gh("link: true"), "providers.gh.link: needs `trusted_domains`"),
        (gh("groups: {map: {A: 'b c'}}"), "providers.gh.groups.map.A: is not the name"),
        (gh("provisioning: {token: x}"), "providers.gh.provisioning.token: must have"),
        (gh("ssf: {issuer: a, audience: b}"), "providers.gh.ssf.jwks_uri: "),
        (
            gh("ssf: {issuer: a, audience: b, jwks_uri: 'http://idp.example/k'}"),
            "providers.gh.ssf.jwks_uri: ",
        ),
        (gh("domain: [a.b]"), "providers.gh.domain: unknown key (did you mean 'domains'?)"),
        (gh("admit: {user: x}"), "providers.gh.admit.user: unknown key"),
        ("providers: {local: {type: github}}", "providers.local: the connection `local` is the embedded one"),
        ("providers: {team: {type: github}}", "providers.team: cannot be the name of a connection"),
        ("providers: {GitHub: {type: github}}", "providers.GitHub: cannot be the name of a connection"),
        ("providers: {local: }, client_id: a", "client_id: belongs into the entry under providers"),
        (
            "provider: github, client_id: a, client_secret: b, base_url: 'http://ghe.corp'",
            "base_url: must be https",
        ),
        (
            "provider: github, client_id: a, client_secret: b, api_url: 'https://x/y?z'",
            "api_url: must not hold",
        ),
    ],
)
def test_faults_of_providers(tmp_path: Path, auth: str, fault: str) -> None:
    (found,) = faults(tmp_path, f"proxy: {{auth: {{{auth}}}}}")
    assert found.startswith(f"1: proxy.auth.{fault}")


def test_a_faulty_provider_is_one_fault_and_not_one_for_each_person(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        proxy: {auth: {providers: {gh: {type: github, client_id: 7, client_secret: b}}}}
        servers: {x: {command: prog, allowed_users: ["gh:a", "b", "gh:org:c"]}}
        """,
    )
    assert found == ("1: proxy.auth.providers.gh.client_id: expected text (put it in quotes), not 7",)
