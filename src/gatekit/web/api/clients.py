"""OAuth clients, and what people granted to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from gatekit.admin.clients import MAX_OVERLAP
from gatekit.admin.grants import GrantView
from gatekit.model.oauth import Client as StoredClient
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, after_of, next_page, paged
from gatekit.web.api.times import maybe, moment


class ClientQuery(Paged, frozen=True, forbid_unknown_fields=True):
    source: Annotated[str, Meta(max_length=32, description="How it is known.")] = ""
    disabled: bool | None = None


class Client(Struct, frozen=True):
    """An OAuth client, without its secret. `name` is what it calls itself."""

    id: str
    name: str
    source: str
    auth_method: str
    grant_types: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    disabled: bool
    created_at: datetime
    last_used_at: datetime | None


class ClientPage(Page[Client], frozen=True):
    """One page."""


class ClientChange(Struct, frozen=True, forbid_unknown_fields=True):
    disabled: bool


class Renewal(Struct, frozen=True, forbid_unknown_fields=True):
    """Another secret for a client."""

    client: Annotated[str, Meta(min_length=1, max_length=512, description="Id of the client.")]
    overlap: Annotated[
        int, Meta(ge=0, le=MAX_OVERLAP, description="Seconds that the old one stays good; 0: it leaked.")
    ] = 0


class MadeSecret(Struct, frozen=True):
    """`secret` is shown this once."""

    secret: str
    client: Client


class GrantQuery(Paged, frozen=True, forbid_unknown_fields=True):
    person: Annotated[str, Meta(max_length=200, description="Username.")] = ""
    client: Annotated[str, Meta(max_length=512, description="Id of the client.")] = ""
    ended: Annotated[bool, Meta(description="Also those that are over.")] = False


class Grant(Struct, frozen=True):
    """Which person allowed which client what."""

    id: str
    person: str
    client_id: str
    client: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    state: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class GrantPage(Page[Grant], frozen=True):
    """One page."""


def client_out(client: StoredClient) -> Client:
    return Client(
        id=client.id,
        name=client.name,
        source=client.source,
        auth_method=client.auth_method,
        grant_types=client.grant_types,
        redirect_uris=client.redirect_uris,
        disabled=client.disabled,
        created_at=moment(client.created_at),
        last_used_at=maybe(client.last_used_at),
    )


def grant_out(view: GrantView) -> Grant:
    grant = view.grant
    return Grant(
        id=grant.id,
        person=view.username,
        client_id=grant.client_id,
        client=view.client_name,
        resources=grant.resources,
        scopes=grant.scopes,
        state=view.state,
        created_at=moment(grant.created_at),
        expires_at=moment(grant.expires_at),
        revoked_at=maybe(grant.revoked_at),
    )


async def _list(desks: Desks, wanted: Wanted) -> Page[Client]:
    query: ClientQuery = wanted.query
    rows = [
        row
        for row in await desks.clients.list(wanted.actor)
        if query.source in ("", row.source) and query.disabled in (None, row.disabled)
    ]
    return paged(sorted(rows, key=_client_id), query, _client_id, client_out)


async def _show(desks: Desks, wanted: Wanted) -> Client:
    return client_out(await desks.clients.show(wanted.actor, wanted["id"]))


async def _change(desks: Desks, wanted: Wanted) -> Client:
    change: ClientChange = wanted.body
    act = desks.clients.disable if change.disabled else desks.clients.enable
    return client_out(await act(wanted.actor, wanted["id"]))


async def _delete(desks: Desks, wanted: Wanted) -> None:
    await desks.clients.delete(wanted.actor, wanted["id"])


async def _renew(desks: Desks, wanted: Wanted) -> MadeSecret:
    renewal: Renewal = wanted.body
    client, secret = await desks.clients.renew_secret(wanted.actor, renewal.client, renewal.overlap)
    return MadeSecret(secret, client_out(client))


async def _grants(desks: Desks, wanted: Wanted) -> Page[Grant]:
    query: GrantQuery = wanted.query
    views = await desks.grants.page(
        wanted.actor,
        query.person or None,
        query.client,
        ended=query.ended,
        after=after_of(query),
        limit=query.limit + 1,
    )
    return next_page(views, query, _grant_id, grant_out)


async def _grant(desks: Desks, wanted: Wanted) -> Grant:
    return grant_out(await desks.grants.show(wanted.actor, wanted["id"]))


async def _revoke(desks: Desks, wanted: Wanted) -> None:
    await desks.grants.revoke(wanted.actor, wanted["id"])


def _client_id(client: StoredClient) -> str:
    return client.id


def _grant_id(view: GrantView) -> str:
    return view.grant.id


CLIENT = "/clients/{id:path}"
"""An id may be a URL. Nothing stands behind it in a path: whose name would that be the end of?"""

OPERATIONS = (
    Operation(
        name="clients.list",
        method="GET",
        path="/clients",
        permission="clients:read",
        summary="OAuth clients, by id",
        query=ClientQuery,
        answer=ClientPage,
        run=_list,
    ),
    Operation(
        name="clients.renew_secret",
        method="POST",
        path="/client-secrets",
        permission="clients:write",
        summary="Give a client another secret",
        body=Renewal,
        answer=MadeSecret,
        status=201,
        run=_renew,
    ),
    Operation(
        name="clients.get",
        method="GET",
        path=CLIENT,
        permission="clients:read",
        summary="One client",
        answer=Client,
        tagged=True,
        run=_show,
    ),
    Operation(
        name="clients.change",
        method="PATCH",
        path=CLIENT,
        permission="clients:write",
        summary="Refuse a client everywhere from now on, or take that back",
        body=ClientChange,
        answer=Client,
        tagged=True,
        current=_show,
        run=_change,
    ),
    Operation(
        name="clients.delete",
        method="DELETE",
        path=CLIENT,
        permission="clients:write",
        summary="Remove a client and all its grants",
        current=_show,
        run=_delete,
    ),
    Operation(
        name="grants.list",
        method="GET",
        path="/grants",
        permission="grants:read",
        summary="Who allowed which client what, oldest first",
        query=GrantQuery,
        answer=GrantPage,
        run=_grants,
    ),
    Operation(
        name="grants.get",
        method="GET",
        path="/grants/{id}",
        permission="grants:read",
        summary="One grant",
        answer=Grant,
        tagged=True,
        run=_grant,
    ),
    Operation(
        name="grants.revoke",
        method="DELETE",
        path="/grants/{id}",
        permission="grants:write",
        summary="End a grant and every token below it",
        current=_grant,
        run=_revoke,
    ),
)
