"""Settings that load and are probably not meant. Each is one line; none of them stops the gateway.

What must stop it (plain http off this machine, authentication off in public …) is a fault of ``resolve``.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from gatekit.config.addresses import is_loopback
from gatekit.config.checks_saml import saml_warnings
from gatekit.config.model import Config, GitHubConnection, ServerConfig
from gatekit.model.connections import OidcConnection
from gatekit.model.rules import AccessList, Anyone

_PLACEHOLDERS = ("your-", "your_", "change-me", "changeme", "replace-me", "example-", "<", "xxx", "todo")


def warnings(config: Config, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Everything worth a word, notes of the load included. Looks at the file system, writes nothing."""
    return (
        *config.notes,
        *_sign_in(config),
        *saml_warnings(config),
        *_other_issuers(config),
        *_gateway_list(config),
        *_resources(config),
        *_servers(config, os.environ if environ is None else environ),
        *_files(config),
    )


def _sign_in(config: Config) -> Iterator[str]:
    if not config.auth.enabled:
        yield "proxy.auth.enabled: is false, so every program on this machine may use every server"
        return
    for connection in config.auth.connections:
        if isinstance(connection, OidcConnection):
            yield from _openid(connection, config)
        if not isinstance(connection, GitHubConnection):
            continue
        keys = ("client_id", "client_secret")
        left = [key for key in keys if getattr(connection, key).lower().startswith(_PLACEHOLDERS)]
        if left:
            callback = f"{config.public_url}/callback/{connection.name}"
            yield (
                f"{connection.name}: {' and '.join(left)} left as in the example, so nobody can sign in; "
                f"register an OAuth app at GitHub with the callback URL {callback}"
            )
        if _open_to_strangers(config) and not connection.allowed_orgs:
            yield f"{connection.name}: a list holds `*`, so everybody in the world may come in"


def _openid(connection: OidcConnection, config: Config) -> Iterator[str]:
    """Providers where anybody can have an account."""
    rules = connection.rules
    bounded = connection.hosted_domains or rules.domains or rules.admit.domains or rules.admit.groups
    if connection.kind == "google" and not bounded and rules.create and _open_to_strangers(config):
        yield (
            f"{connection.name}: a list holds `*` and there are no hosted_domains, so everybody with a "
            "Google account may come in"
        )
    if connection.trust_email and rules.link:
        yield (
            f"{connection.name}: trust_email and link together: whoever sets an address there can become "
            "another person here"
        )


def _other_issuers(config: Config) -> Iterator[str]:
    external = config.external
    if external is not None and external.token_types != ("at+jwt",) and not external.required_scopes:
        yield (
            "proxy.auth.external: token_types accepts tokens that do not say they are access tokens; "
            "name required_scopes, so that nothing else that is signed there can pass for one"
        )
    issuers = [*config.assertions, *([external] if external else [])]
    for issuer in issuers:
        if _open_to_strangers(config) and issuer.unknown_people == "create":
            yield f"{issuer.name}: a list holds `*`, so everybody whom {issuer.issuer} knows may come in"


def _open_to_strangers(config: Config) -> bool:
    rules = config.rules
    lists = (
        (rules.gateway,) if rules.gateway is not None else tuple(server.allowed for server in rules.servers)
    )
    if any(Anyone() in (allowed or ()) for allowed in lists):
        return True
    allows = (rule for rule in rules.rules if rule.effect == "allow" and not rule.shadow)
    return rules.gateway is None and any(
        Anyone() in (rule.who or ()) or (rule.who is None and "member" in rule.roles) for rule in allows
    )


def _gateway_list(config: Config) -> Iterator[str]:
    if config.auth.enabled and config.rules.gateway == ():
        yield "proxy.auth.allowed_users: is empty, so nobody may come in at all"
    if not (config.servers or config.resources or config.forward_auth):
        yield "servers: there are none, so there is nothing to use"


def _servers(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    declared = {rules.server: rules for rules in config.rules.servers}
    for target in config.forward_auth:
        place = f"proxy.forward_auth.{target.name}"
        yield from _server_list(place, declared[target.name].allowed, config.rules.gateway)
    for virtual in config.virtual:
        place = f"{config.path.name}:{virtual.line}: virtual_servers.{virtual.virtual.name}"
        if config.auth.enabled:
            yield from _server_list(place, declared[virtual.virtual.name].allowed, config.rules.gateway)
    for entry in config.servers:
        rules = declared[entry.server.name]
        place = f"{config.path.name}:{entry.line}: servers.{entry.server.name}"
        if config.auth.enabled:
            yield from _server_list(place, rules.allowed, config.rules.gateway)
        for rule in rules.tools:
            if not rule.allowed:
                yield f'{place}: {rule.kind}s "{rule.glob}" are closed to everybody'
        if entry.server.command:
            yield from _program(place, entry, environ)


def _resources(config: Config) -> Iterator[str]:
    for rules in config.rules.resources if config.auth.enabled else ():
        yield from _server_list(f"{rules.place}.{rules.server}", rules.allowed, config.rules.gateway)


def _server_list(place: str, allowed: AccessList, gateway: AccessList) -> Iterator[str]:
    if allowed is None and gateway is None:
        yield f"{place}: has no list (allowed_users, allowed_groups, users): nobody may use it"
    elif allowed == ():
        yield f"{place}: its list is empty, so nobody may use it"


def _program(place: str, entry: ServerConfig, environ: Mapping[str, str]) -> Iterator[str]:
    server = entry.server
    program = server.command[0]
    cwd = Path(server.cwd or ".")
    if not cwd.is_dir():
        yield f"{place}: its cwd {cwd} is not a folder"
    if "/" in program:
        found = os.access(cwd / program, os.X_OK) and (cwd / program).is_file()
        where = f"at {cwd / program}"
    else:
        path = dict(server.env).get("PATH", environ.get("PATH", os.defpath))
        found = shutil.which(program, path=path) is not None
        where = "on PATH"
    if not found:
        yield f"{place}: the program '{program}' was not found {where}"
    if entry.allow_dangerous:
        yield f"{place}: allow_dangerous is set, so its command and variables are not checked"


def _files(config: Config) -> Iterator[str]:
    for path in config.secret_files:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & stat.S_IROTH:
            yield f"{path}: everybody on this machine can read this secret (chmod 600 {path})"
    if not is_loopback(config.host) and config.path.stat().st_mode & stat.S_IWOTH:
        yield f"{config.path}: everybody on this machine can change this file"
