"""What an operator may write about other issuers: ``proxy.auth.external`` and ``identity_assertions``."""

from __future__ import annotations

from typing import Annotated

from gatekit.config.fields import Duration, Flag, OneOf, Section, Sub, Text, Texts
from gatekit.model.trust import AssertionIssuer, ClaimNames, ExternalServer, Introspection, Issuer, Unknown

_ISSUER = Issuer(name="", issuer="")
_CLAIMS = ClaimNames()
_INTROSPECTION = Introspection(client_id="", client_secret="")
_ASSERTIONS = AssertionIssuer(name="", issuer="")
_EXTERNAL = ExternalServer(name="", issuer="")

Names = tuple[str, ...]


class IssuerIn(Section, frozen=True):
    """Keys that both have."""

    issuer: Annotated[str, Text()]
    jwks_uri: Annotated[str | None, Text()] = None
    algorithms: Annotated[Names, Texts()] = _ISSUER.algorithms
    clients: Annotated[Names, Texts()] = ()
    subject_claim: Annotated[str, Text()] = _CLAIMS.subject
    username_claim: Annotated[str, Text()] = _CLAIMS.username
    email_claim: Annotated[str, Text()] = _CLAIMS.email
    verified_email: Annotated[bool, Flag()] = False
    name_claim: Annotated[str, Text()] = _CLAIMS.name
    groups_claim: Annotated[str | None, Text()] = None
    unknown_people: Annotated[Unknown, OneOf(("create", "refuse"))] = _ISSUER.unknown_people
    clock_skew: Annotated[float, Duration(0, 300)] = _ISSUER.clock_skew


class IntrospectionIn(Section, frozen=True):
    client_id: Annotated[str, Text()]
    client_secret: Annotated[str, Text()]
    endpoint: Annotated[str | None, Text()] = None
    every_token: Annotated[bool, Flag()] = _INTROSPECTION.every_token
    cache: Annotated[float, Duration(0, 60)] = _INTROSPECTION.cache


class ExternalIn(IssuerIn, frozen=True):
    name: Annotated[str, Text()] = "external"
    audiences: Annotated[Names, Texts()] = ()
    token_types: Annotated[Names, Texts()] = _EXTERNAL.token_types
    required_scopes: Annotated[Names, Texts()] = ()
    scopes: Annotated[Names, Texts()] = ()
    introspection: Annotated[IntrospectionIn | None, Sub(IntrospectionIn)] = None


class AssertionIn(IssuerIn, frozen=True):
    max_age: Annotated[float, Duration(30, 3600)] = _ASSERTIONS.longest
