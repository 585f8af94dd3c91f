"""The control plane put together: services of the authorization server, all routes but the MCP endpoints.

``app`` owns what lives and dies (store, trail, processes, jobs); here stands only who is handed what.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from gatekit.admin.approvals import Approvals
from gatekit.admin.browser_sessions import BrowserSessions
from gatekit.admin.connections import Connections
from gatekit.admin.factors import Factors, OwnFactor
from gatekit.admin.grants import Grants
from gatekit.admin.keys import Keys
from gatekit.admin.passkeys import Passkeys
from gatekit.admin.people import People
from gatekit.admin.requests import Requests
from gatekit.admin.roles import EffectiveRoles
from gatekit.admin.rules import Rules
from gatekit.assembly import local_factors, requestable
from gatekit.audit.recorder import Recorder
from gatekit.config.connections import read_literal
from gatekit.config.model import Config
from gatekit.errors import StoreError
from gatekit.gateway.published import Published
from gatekit.gateway.quotas import Used
from gatekit.identity.directory import Directory
from gatekit.identity.local import Invitations
from gatekit.identity.passwords import PasswordHasher
from gatekit.identity.standing import Upright
from gatekit.model.approvals import ARGUMENTS
from gatekit.model.people import User
from gatekit.model.ports import Clock, Entropy
from gatekit.oauth.core import Services
from gatekit.oauth.http import Endpoint
from gatekit.oauth.server import AuthorizationServer
from gatekit.outgoing import document_fetch, key_fetch, key_hosts, logout_send, trusted_exchange
from gatekit.platform.vault import Vault
from gatekit.signin import SignIns, settings
from gatekit.store.ports import Store
from gatekit.web.api.mount import Api
from gatekit.web.assets import asset_routes
from gatekit.web.console.route import Answer, console_routes
from gatekit.web.forward_auth import ForwardAuth
from gatekit.web.health import health_routes
from gatekit.web.middleware import Hardening
from gatekit.web.own import OwnPages
from gatekit.web.own_access import OwnAccess
from gatekit.web.own_factor import OwnSecondFactor
from gatekit.web.own_passkeys import OwnPasskeys
from gatekit.web.pages import HtmlPages
from gatekit.web.scim_route import scim_routes

Readiness = Mapping[str, Callable[[], Awaitable[str]]]
"""Part → what is wrong with it, empty when nothing is."""


class Parts(Struct, frozen=True, kw_only=True):
    """What the rooms of the control plane share. ``config`` and ``tables`` give what is in force now."""

    store: Store
    vault: Vault
    recorder: Recorder
    clock: Clock
    entropy: Entropy
    hasher: PasswordHasher
    directory: Directory
    signins: SignIns
    config: Callable[[], Config]
    tables: Callable[[], Published]
    used: Callable[[], Iterable[Used]]
    """Of quotas."""


def services(parts: Parts) -> Services:
    """What the authorization server works with."""
    store, clock, config = parts.store, parts.clock, parts.config()
    return Services(
        store=store,
        vault=parts.vault,
        audit=parts.recorder,
        clock=clock,
        entropy=parts.entropy,
        pages=HtmlPages(),
        directory=parts.directory,
        mapping=parts.signins.mapping,
        policy=lambda: parts.tables().policy,
        passwords=parts.signins.connections.passwords,
        local=lambda: local_factors(parts.config()),
        rules=parts.signins.rules,
        homes=parts.signins.connections,
        recheck=parts.signins.connections.recheck,
        administrates=lambda user: _administrates(parts, user),
        invitations=Invitations(store.users, store.invites, parts.hasher, clock, store.browser_sessions),
        providers=parts.signins.connections.providers,
        fetch=document_fetch(config, clock),
        send=logout_send(clock),
        key_fetch=key_fetch(clock),
        exchange=trusted_exchange(config, clock),
        own_key_fetch=key_fetch(clock, lambda: [*key_hosts(parts.config()), *_signal_hosts(parts)]),
    )


async def _administrates(parts: Parts, user: User) -> bool:
    *_, roles = desk_parts(parts)
    return await roles.of(user) != "member"


def _signal_hosts(parts: Parts) -> list[str]:
    """Where the key sets of those who push security events lie, which may be a private network."""
    return [urlsplit(uri).hostname or "" for uri in parts.signins.connections.key_sets()]


def routes(parts: Parts, authorization: AuthorizationServer, ready: Readiness) -> tuple[BaseRoute, ...]:
    """Everything but the MCP endpoints, for whoever wants to walk it (``tests/arch/test_routes.py``)."""
    found: list[BaseRoute] = [*asset_routes(), *health_routes(ready)]
    config = parts.config()
    if config.auth.enabled:
        found += _forward_auth(parts, authorization).routes()  # before the server's "not found"
        found += authorization.routes()
        if config.external is None:  # our own pages need our own sign-in
            found += _own_pages(parts, authorization).routes()
            found += console_routes(lambda: _console(parts, authorization), HtmlPages())
            found += _own_access(parts, authorization).routes()
            found += _own_passkeys(parts, authorization).routes()
            found += _own_factor(parts, authorization).routes()
            found += scim_routes(lambda: _scim_door(parts))
        found += _rest(parts, authorization).routes()
    return tuple(found)


def behind(found: tuple[BaseRoute, ...], entropy: Entropy) -> Hardening:
    """The routes as one hardened ASGI application."""
    return Hardening(Starlette(routes=list(found)), entropy)


def readiness(parts: Parts, draining: Callable[[], bool]) -> Readiness:
    async def store() -> str:
        try:
            await parts.store.ready()
        except StoreError as error:
            return str(error)
        return ""

    async def audit() -> str:
        return parts.recorder.trouble

    async def stopping() -> str:
        return "the gateway was told to stop" if draining() else ""

    return {"store": store, "audit": audit, "draining": stopping}


def desk_parts(parts: Parts) -> tuple[Store, Recorder, Clock, Entropy, EffectiveRoles]:
    """What every use case of ``admin`` is made of, at doors where others than the operator stand."""
    roles = EffectiveRoles(parts.store, lambda: parts.tables().policy, parts.signins.rules)
    return parts.store, parts.recorder, parts.clock, parts.entropy, roles


def _scim_door(parts: Parts) -> Endpoint:
    # Imported when somebody provisions: it would be a tenth of what a start costs everybody else.
    from gatekit.admin.provisioned_groups import ProvisionedGroups  # noqa: PLC0415 - as said
    from gatekit.admin.provisioning import ProvisionedPeople  # noqa: PLC0415 - as said
    from gatekit.admin.scim_tokens import ScimBearer  # noqa: PLC0415 - as said
    from gatekit.web.scim import ScimDoor  # noqa: PLC0415 - as said

    desk = desk_parts(parts)
    return ScimDoor(
        ScimBearer(parts.store.scim_tokens, parts.clock, parts.signins.connections.provisioned),
        ProvisionedPeople(*desk),
        ProvisionedGroups(*desk),
        parts.recorder,
        parts.clock,
        issuer=parts.config().public_url,
    ).handle


def _own_pages(parts: Parts, authorization: AuthorizationServer) -> OwnPages:
    desk = desk_parts(parts)
    return OwnPages(
        authorization.browser,
        authorization.sign_in_for,
        grants=Grants(*desk),
        keys=Keys(*desk),
        people=People(*desk),
        sessions=BrowserSessions(*desk),
        servers=lambda principal: parts.tables().policy.rights(principal).servers(),
        administrates=lambda user: _administrates(parts, user),
        pages=HtmlPages(),
    )


def _console(parts: Parts, authorization: AuthorizationServer) -> Callable[[str, str], Answer]:
    from gatekit.consoles import console  # noqa: PLC0415 - loaded when the first administrator looks

    return console(
        desk_parts(parts),
        authorization.browser,
        authorization.sign_in_for,
        standings=authorization.standings,
        config=parts.config,
        connections=lambda: _connections(parts),
        approvals=lambda: _approvals(parts, authorization),
        requests=lambda: _requests(parts),
        definition=parts.signins.connections.definition,
        notices=parts.signins.connections.notices,
    ).answer


def _approvals(parts: Parts, authorization: AuthorizationServer) -> Approvals:
    """Approvals, at doors where others than the operator stand."""

    async def approves(user_id: str, rule: str) -> bool:
        found = await authorization.standings.person(user_id, parts.clock.now())
        return isinstance(found, Upright) and parts.tables().policy.approves(found.principal, rule)

    def opened(sealed: str) -> str:
        return parts.vault.open(sealed, ARGUMENTS)

    return Approvals(*desk_parts(parts), opened=opened, approves=approves)


def _requests(parts: Parts) -> Requests:
    desk = desk_parts(parts)
    return Requests(*desk, rules=Rules(*desk), requestable=lambda: requestable(parts.config()))


def _own_access(parts: Parts, authorization: AuthorizationServer) -> OwnAccess:
    return OwnAccess(
        authorization.browser,
        authorization.sign_in_for,
        requests=_requests(parts),
        requestable=lambda: requestable(parts.config()),
        servers=lambda principal: parts.tables().policy.rights(principal).servers(),
        pages=HtmlPages(),
    )


def _connections(parts: Parts) -> Connections:
    """What administrators may do with connections over the network."""
    config = parts.config()
    issuers = [*config.assertions, *([config.external] if config.external else [])]
    return Connections(
        *(parts.store, parts.recorder, parts.clock, parts.entropy),
        vault=lambda: parts.vault,
        read=lambda name, entry: read_literal(name, entry).kind,
        in_file={entry.name: (entry.kind, entry.rules.enabled) for entry in config.auth.connections},
        reserved=[issuer.name for issuer in issuers],
        settings=settings(config.auth.connections, lambda: parts.vault),
    )


def _own_passkeys(parts: Parts, authorization: AuthorizationServer) -> OwnPasskeys:
    return OwnPasskeys(
        authorization.browser,
        authorization.sign_in_for,
        origin=parts.config().public_url,
        rules=lambda: local_factors(parts.config()),
        passkeys=Passkeys(*desk_parts(parts)),
        replays=parts.store.replays,
        clock=parts.clock,
        entropy=parts.entropy,
        pages=HtmlPages(),
    )


def _own_factor(parts: Parts, authorization: AuthorizationServer) -> OwnSecondFactor:
    desk, second = desk_parts(parts), authorization.second
    return OwnSecondFactor(
        authorization.browser,
        authorization.sign_in_for,
        factors=Factors(*desk),
        own=OwnFactor(*desk, second=second),
        second=second,
        pages=HtmlPages(),
    )


def _forward_auth(parts: Parts, authorization: AuthorizationServer) -> ForwardAuth:
    judge, passes = authorization.forward(lambda: parts.config().forward_auth)
    return ForwardAuth(
        judge,
        passes,
        authorization.browser,
        authorization.sign_in_for,
        issuer=parts.config().public_url,
        pages=HtmlPages(),
    )


def _rest(parts: Parts, authorization: AuthorizationServer) -> Api:
    def opened() -> tuple[list[BaseRoute], ASGIApp]:
        from gatekit.rest import api_routes  # noqa: PLC0415 - loaded when the first program administrates

        return api_routes(
            desk_parts(parts),
            vault=parts.vault,
            standings=authorization.standings,
            config=parts.config,
            tables=parts.tables,
            connections=lambda: _connections(parts),
            used=parts.used,
            approvals=lambda: _approvals(parts, authorization),
            requests=lambda: _requests(parts),
        )

    return Api(opened)
