"""What an operator may write about one connection: ``proxy.auth.providers.<name>``.

Each kind has a section of its own, which adds its keys to those that all have. A new kind is one section
here (or in a file of its own), one entry in ``SECTIONS``, and one resolver in ``connections.RESOLVERS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, get_args

from msgspec import Struct, field

from gatekit.config import document as doc
from gatekit.config.fields import (
    Duration,
    Entries,
    Flag,
    Misfit,
    OneOf,
    Place,
    Section,
    Sub,
    Text,
    Texts,
    kinds,
    read_section,
)
from gatekit.model.connections import ClientAuth, OidcConnection
from gatekit.model.directory import DirectoryPreset, Nesting
from gatekit.model.factors import SecondFactor

Names = tuple[str, ...]
_OIDC = OidcConnection(name="", issuer="", client_id="")


class AdmitIn(Section, frozen=True):
    domains: Annotated[Names, Texts()] = ()
    groups: Annotated[Names, Texts()] = ()


class MapIn(Section, frozen=True):
    login: Annotated[str | None, Text()] = None
    email: Annotated[str | None, Text()] = None
    display_name: Annotated[str | None, Text()] = None
    groups: Annotated[str | None, Text()] = None


class ProviderGroupsIn(Section, frozen=True):
    map: Annotated[dict[str, str], Entries(Text())] = field(default_factory=dict)
    keep: Annotated[bool, Flag()] = True


class ProvisioningIn(Section, frozen=True):
    token: Annotated[str | None, Text()] = None
    match: Annotated[str | None, Text()] = None


class SsfIn(Section, frozen=True, kw_only=True):
    issuer: Annotated[str, Text()]
    audience: Annotated[str, Text()]
    jwks_uri: Annotated[str, Text()]


class ProviderIn(Section, frozen=True):
    """Keys of every kind."""

    type: Annotated[str | None, Text()] = None
    title: Annotated[str | None, Text()] = None
    enabled: Annotated[bool, Flag()] = True
    domains: Annotated[Names, Texts()] = ()
    admit: AdmitIn = AdmitIn()
    create: Annotated[bool, Flag()] = True
    link: Annotated[bool, Flag()] = False
    trusted_domains: Annotated[Names, Texts()] = ()
    map: MapIn = MapIn()
    groups: ProviderGroupsIn = ProviderGroupsIn()
    provisioning: Annotated[ProvisioningIn | None, Sub(ProvisioningIn)] = None
    ssf: Annotated[SsfIn | None, Sub(SsfIn)] = None


class LocalIn(Section, frozen=True):
    """Accounts of our own come from nowhere, so there is nothing to map and nobody to admit."""

    type: Annotated[str | None, Text()] = None
    title: Annotated[str | None, Text()] = None
    enabled: Annotated[bool, Flag()] = True
    passkeys: Annotated[bool, Flag()] = True
    second_factor: Annotated[SecondFactor, OneOf(get_args(SecondFactor))] = "optional"


class GitHubKeys(Section, frozen=True):
    """Keys of GitHub that may be written inline under ``proxy.auth``."""

    client_id: Annotated[str | None, Text()] = None
    client_secret: Annotated[str | None, Text()] = None
    base_url: Annotated[str | None, Text()] = None
    api_url: Annotated[str | None, Text()] = None
    allowed_orgs: Annotated[Names | None, Texts()] = None


class GitHubIn(ProviderIn, frozen=True):
    """GitHub, or a GitHub Enterprise Server. The keys of ``GitHubKeys`` again: a Struct has one base."""

    client_id: Annotated[str | None, Text()] = None
    client_secret: Annotated[str | None, Text()] = None
    base_url: Annotated[str | None, Text()] = None
    api_url: Annotated[str | None, Text()] = None
    allowed_orgs: Annotated[Names | None, Texts()] = None


class SamlIn(ProviderIn, frozen=True):
    """A SAML 2.0 identity provider."""

    metadata: Annotated[str | None, Text()] = None
    metadata_certificate: Annotated[str | None, Text()] = None
    entity_id: Annotated[str | None, Text()] = None
    own_entity_id: Annotated[str | None, Text()] = None
    subject: Annotated[str, Text()] = "persistent"
    name_id_format: Annotated[str | None, Text()] = None
    verified_email: Annotated[bool, Flag()] = False
    sign_requests: Annotated[bool, Flag()] = True
    force_authn: Annotated[bool, Flag()] = False
    authn_contexts: Annotated[Names, Texts()] = ()
    idp_initiated: Annotated[bool, Flag()] = False
    single_logout: Annotated[bool, Flag()] = False


class LdapUsersIn(Section, frozen=True):
    base: Annotated[str | None, Text()] = None
    filter: Annotated[str | None, Text()] = None
    subject: Annotated[str | None, Text()] = None


class LdapGroupsIn(Section, frozen=True):
    base: Annotated[str | None, Text()] = None
    filter: Annotated[str | None, Text()] = None
    name: Annotated[str | None, Text()] = None
    nesting: Annotated[Nesting | None, OneOf(get_args(Nesting))] = None


class LdapIn(ProviderIn, frozen=True):
    directory: Annotated[DirectoryPreset, OneOf(get_args(DirectoryPreset))] = "openldap"
    urls: Annotated[Names, Texts()] = ()
    start_tls: Annotated[bool, Flag()] = True
    ca_file: Annotated[str | None, Text()] = None
    bind_dn: Annotated[str | None, Text()] = None
    bind_password: Annotated[str | None, Text()] = None
    users: LdapUsersIn = LdapUsersIn()
    group_search: Annotated[LdapGroupsIn | None, Sub(LdapGroupsIn)] = None
    verified_email: Annotated[bool, Flag()] = False
    timeout: Annotated[float, Duration(0.5, 60)] = 5.0


class OpenIdIn(ProviderIn, frozen=True, kw_only=True):
    """Keys of every OpenID provider."""

    client_id: Annotated[str, Text()]
    client_secret: Annotated[str | None, Text()] = None
    private_key: Annotated[str | None, Text()] = None
    key_id: Annotated[str | None, Text()] = None
    auth_method: Annotated[ClientAuth | None, OneOf(get_args(ClientAuth))] = None
    scopes: Annotated[Names | None, Texts()] = None
    trust_email: Annotated[bool, Flag()] = False
    recheck: Annotated[float, Duration(0, 86400)] = 0
    logout: Annotated[bool, Flag()] = False


class OidcIn(OpenIdIn, frozen=True, kw_only=True):
    issuer: Annotated[str, Text()]
    algorithms: Annotated[Names, Texts()] = _OIDC.algorithms


class GoogleIn(OpenIdIn, frozen=True, kw_only=True):
    issuer: Annotated[str, Text()] = "https://accounts.google.com"
    hosted_domains: Annotated[Names, Texts()] = ()


class EntraIn(OpenIdIn, frozen=True, kw_only=True):
    tenants: Annotated[Names, Texts()]
    authority: Annotated[str, Text()] = "https://login.microsoftonline.com"
    graph_url: Annotated[str, Text()] = "https://graph.microsoft.com"


class OktaIn(OpenIdIn, frozen=True, kw_only=True):
    issuer: Annotated[str, Text()]


SECTIONS: Mapping[str, type[Section]] = {
    "local": LocalIn,
    "github": GitHubIn,
    "ldap": LdapIn,
    "google": GoogleIn,
    "entra": EntraIn,
    "okta": OktaIn,
    "oidc": OidcIn,
    "saml": SamlIn,
}
"""By kind. Not every kind has every key of ``ProviderIn``."""


def written_kind(name: object, entry: Mapping[str, Any]) -> object:
    """The kind of an entry: as it says, or by its name. None if neither says one."""
    return entry.get("type") or (name if name in SECTIONS else None)


class Provider(Struct, frozen=True):
    """One entry, read with the section of its kind."""

    placeholder: None = None

    def read(self, value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            place.expected("keys and values", value)
            return Misfit
        kind = written_kind(place.path[-1], value)
        if kind is None:
            place.fault(f"needs a type: {' or '.join(SECTIONS)}")
            return Misfit
        section = SECTIONS.get(str(kind))
        if section is None:
            close = get_close_matches(str(kind).lower(), SECTIONS, n=1, cutoff=0.7)
            meant = f" (did you mean '{close[0]}'?)" if close else ""
            place.child("type").fault(f"unknown provider '{kind}'{meant}; known: {', '.join(SECTIONS)}")
            return Misfit
        return read_section(section, value, self._with_advice(place, str(kind), section))

    def _with_advice(self, place: Place, kind: str, section: type[Section]) -> Place:
        """Unknown keys are explained with the keys of this kind."""

        def unknown(path: doc.Path) -> str:
            key = str(path[-1])
            if path[:-1] != place.path:
                return place.unknown(path)
            known = list(kinds(section))
            if close := get_close_matches(key.lower(), known, n=1, cutoff=0.7):
                return f"unknown key (did you mean '{close[0]}'?)"
            if users := [other for other, keys in SECTIONS.items() if key in kinds(keys)]:
                return f"is not used by `type: {kind}` (but by {', '.join(users)})"
            return f"unknown key (known here: {', '.join(sorted(known))})"

        return Place(place.document, place.path, place.secret, unknown)
