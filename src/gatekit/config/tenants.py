"""Several organisations in one process: the file that names them, and what a file of one of them may not do.

A tenant is a directory with an ordinary configuration file in it. All that it has (files, secrets, database,
keys, trail) lies in that directory, and no directory lies in another one, so nothing is shared by mistake.
Whoever writes the file of a tenant is its own administrator and not whoever runs the machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace

from gatekit.config import document as doc
from gatekit.config.addresses import host_of, is_loopback, listen_host, network
from gatekit.config.fields import Entries, Flag, Place, Section, Sub, Text, Texts, Whole, kinds, read_section
from gatekit.config.load import DEFAULT_NAME, Attempt, read_text, try_load
from gatekit.config.model import Config
from gatekit.errors import ConfigError

MARK = re.compile(rb"^tenants[ \t]*:", re.MULTILINE)
"""How a file of tenants is told from that of one gateway, without reading it as YAML."""
MAX_ABOVE = 3
"""Directories above a tenant's own in which its common file is looked for."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OWN_ADDRESS = ("127.0.0.1", 8080, ())


class TenantIn(Section, frozen=True, kw_only=True):
    host: Annotated[str, Text()]
    config: Annotated[str, Text()]
    enabled: Annotated[bool, Flag()] = True
    allow_commands: Annotated[bool, Flag()] = False


class ListenIn(Section, frozen=True):
    host: Annotated[str, Text()] = "127.0.0.1"
    port: Annotated[int, Whole(1, 65535)] = 8080
    trusted_proxies: Annotated[tuple[str, ...], Texts()] = ()


class TenantsIn(Section, frozen=True, kw_only=True):
    proxy: ListenIn = ListenIn()
    tenants: Annotated[dict[str, TenantIn], Entries(Sub(TenantIn))]


class Tenant(Struct, frozen=True, kw_only=True):
    """One organisation, as the common file has it."""

    name: str
    host: str
    """The one host name it is reached under: lower case, without a port."""
    config: Path
    enabled: bool
    allow_commands: bool
    """Whether its file may start programs. They run as the gateway does and can read what it can."""

    @property
    def root(self) -> Path:
        """The directory that is all this tenant has."""
        return self.config.parent

    @property
    def prefix(self) -> str:
        """Variables of the gateway's environment that its file may read begin like this."""
        return f"GATEKIT_{self.name.upper().replace('-', '_')}_"


class Tenants(Struct, frozen=True, kw_only=True):
    """The common file."""

    path: Path
    host: str
    port: int
    trusted_proxies: tuple[str, ...]
    tenants: tuple[Tenant, ...]


def is_tenants_file(path: Path) -> bool:
    """Whether ``path`` names tenants. False also for what cannot be read: the usual reader says why."""
    try:
        return MARK.search(path.read_bytes()) is not None
    except OSError:
        return False


def load_tenants(path: Path) -> Tenants:
    """Read the common file; those of the tenants are not opened. Raises ``ConfigError`` with every fault."""
    path = path.absolute()
    text = read_text(path)
    if isinstance(text, ConfigError):
        raise text
    document = doc.read(text)
    if document.data or not document.faults:
        place = Place(document, (), frozenset(), _unknown)
        found = _resolve(read_section(TenantsIn, document.data, place), document, path)
    if document.faults:
        raise ConfigError([fault.render(path.name) for fault in document.faults])
    return found


def load_tenant(tenant: Tenant, common: Tenants, environ: Mapping[str, str] | None = None) -> Attempt:
    """Read the file of one tenant, which sees nothing of the others. A refusal is a value."""
    environ = os.environ if environ is None else environ
    own = {name: value for name, value in environ.items() if name.startswith(tenant.prefix)}
    attempt = try_load(tenant.config, own, tenant.root)
    if isinstance(attempt.outcome, ConfigError):
        return attempt
    faults = [
        f"{tenant.name}/{tenant.config.name}: {text}" for text in _misfits(attempt.outcome, tenant, common)
    ]
    if faults:
        return Attempt(ConfigError(faults), attempt.files)
    config = replace(
        attempt.outcome, host=common.host, port=common.port, trusted_proxies=common.trusted_proxies
    )
    return Attempt(config, attempt.files)


def tenant_called(common: Tenants, name: str) -> Tenant:
    """Raises ``ConfigError``."""
    found = next((one for one in common.tenants if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in common.tenants) or "none"
        raise ConfigError([f"{common.path.name}: there is no tenant {name} (there are: {known})"])
    return found


def common_of(path: Path) -> tuple[Tenants, Tenant] | None:
    """The common file that names ``path`` as a tenant's own, if one of the usual name lies above it; so that
    what counts for the gateway counts for whoever names that file alone.

    Raises ``ConfigError`` if there is a common file that cannot be read: it might name this one.
    """
    own = path.resolve()
    # By that name only: other programs have files with `tenants:` in them, too.
    for file in (folder / DEFAULT_NAME for folder in list(own.parents)[1 : 1 + MAX_ABOVE]):
        if is_tenants_file(file):
            common = load_tenants(file)
            for tenant in common.tenants:
                if tenant.config.resolve() == own:
                    return common, tenant
    return None


def _misfits(config: Config, tenant: Tenant, common: Tenants) -> list[str]:
    """What an ordinary file may say and that of a tenant may not."""
    found = []
    if host_of(config.public_url) != tenant.host:
        found.append(f"proxy.public_url: must have the host {tenant.host}, as the common file says")
    if config.public_url.startswith("http://") and not is_loopback(common.host):
        found.append("proxy.public_url: must be https")
    if (config.host, config.port, config.trusted_proxies) != _OWN_ADDRESS:
        found.append("proxy: host, port and trusted_proxies stand in the common file only")
    if not config.auth.enabled:
        found.append("proxy.auth.enabled: must be true")
    if config.forward_auth:
        # A proxy asks under the host name of the application, which may be anybody's.
        found.append("proxy.forward_auth: is not available to tenants")
    if not _within(config.data_dir, tenant.root):
        found.append("data_dir: must lie in the directory of the tenant's file")
    if not tenant.allow_commands:
        named = [entry.server.name for entry in config.servers if entry.server.command]
        if any(entry.use == "process" for entry in config.plugins.entries):
            found.append("plugins: tenants start no programs (unless the common file has allow_commands)")
        found += [
            f"servers.{name}.command: tenants start no programs (unless the common file has allow_commands)"
            for name in named
        ]
    return found


def _within(path: Path, root: Path) -> bool:
    inner, outer = path.resolve(), root.resolve()
    return inner != outer and inner.is_relative_to(outer)


def _unknown(path: doc.Path) -> str:
    section: type[Section] = TenantsIn
    if path[:1] == ("proxy",) and len(path) > 1:
        section = ListenIn
    elif len(path) > 2:
        section = TenantIn
    return f"unknown key (known here: {', '.join(kinds(section))}; the rest stands in the tenants' own files)"


def _resolve(file: TenantsIn, document: doc.Document, path: Path) -> Tenants:
    tenants = [
        Tenant(
            name=name,
            host=entry.host.lower(),
            config=(path.parent / entry.config).absolute(),
            enabled=entry.enabled,
            allow_commands=entry.allow_commands,
        )
        for name, entry in file.tenants.items()
    ]
    for tenant in tenants:
        _check(tenant, path, document)
    for one, other in combinations(tenants, 2):
        _check_apart(one, other, document)
    host = _each(listen_host, (file.proxy.host,), ("proxy", "host"), document)
    return Tenants(
        path=path,
        host=host[0],
        port=file.proxy.port,
        trusted_proxies=_each(network, file.proxy.trusted_proxies, ("proxy", "trusted_proxies"), document),
        tenants=tuple(tenants),
    )


def _check(tenant: Tenant, path: Path, document: doc.Document) -> None:
    place: doc.Path = ("tenants", tenant.name)
    if not _NAME.fullmatch(tenant.name):
        document.fault(place, "is not a name (a small letter, then letters, digits and '-', at most 32)")
    if not _HOST.fullmatch(tenant.host) or _is_address(tenant.host):
        document.fault((*place, "host"), "must be a host name with a dot, without port, scheme or path")
    # ``..`` and links included: what counts is where the file really lies.
    root = tenant.root.resolve()
    if not tenant.config.resolve().is_relative_to(root):
        document.fault((*place, "config"), "must not be a link that leads out of its directory")
    if path.resolve().is_relative_to(root):
        document.fault((*place, "config"), "must lie in a directory of its own, and this file outside of it")


def _check_apart(one: Tenant, other: Tenant, document: doc.Document) -> None:
    place: doc.Path = ("tenants", other.name)
    if one.host == other.host:
        document.fault((*place, "host"), f"is that of {one.name}")
    mine, theirs = one.root.resolve(), other.root.resolve()
    if mine.is_relative_to(theirs) or theirs.is_relative_to(mine):
        document.fault((*place, "config"), f"must not lie in, above or below the directory of {one.name}")
    if one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix):
        document.fault(place, f"reads like {one.name} in names of variables ({one.prefix}…, {other.prefix}…)")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _each(
    read: Callable[[str], str], values: Sequence[str], place: doc.Path, document: doc.Document
) -> tuple[str, ...]:
    found = []
    for value in values:
        try:
            found.append(read(value))
        except ValueError as error:
            document.fault(place, str(error))
            found.append(value)
    return tuple(found)
