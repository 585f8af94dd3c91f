"""Service accounts: principals that are programs. To disable or delete one: ``people``, by username."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gatekit.admin.service_accounts import ServiceAccountView
from gatekit.model.people import Role
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import PRINTABLE, Operation, Page, Paged, Wanted, paged
from gatekit.web.api.people import GroupName
from gatekit.web.api.times import maybe, moment


class NewServiceAccount(Struct, frozen=True, forbid_unknown_fields=True):
    """Its username is `service:` and the name."""

    name: Annotated[str, Meta(min_length=1, max_length=48, pattern="^[a-z0-9][a-z0-9._-]*$")]
    title: Annotated[str, Meta(max_length=200, pattern=PRINTABLE)] = ""
    groups: Annotated[tuple[GroupName, ...], Meta(max_length=100, description="Local groups.")] = ()


class ServiceAccount(Struct, frozen=True):
    name: str
    username: str
    title: str
    role: Role
    disabled: bool
    groups: tuple[str, ...]
    keys: Annotated[int, Meta(description="API keys that are good now.")]
    created_at: datetime
    last_seen_at: datetime | None


class ServiceAccountPage(Page[ServiceAccount], frozen=True):
    """One page."""


def _out(view: ServiceAccountView) -> ServiceAccount:
    user = view.user
    return ServiceAccount(
        name=user.login,
        username=user.username,
        title=user.display_name,
        role=user.role,
        disabled=user.disabled,
        groups=view.groups,
        keys=view.keys,
        created_at=moment(user.created_at),
        last_seen_at=maybe(user.last_seen_at),
    )


def _username(view: ServiceAccountView) -> str:
    return view.user.username


async def _list(desks: Desks, wanted: Wanted) -> Page[ServiceAccount]:
    return paged(await desks.service_accounts.list(wanted.actor), wanted.query, _username, _out)


async def _create(desks: Desks, wanted: Wanted) -> ServiceAccount:
    new: NewServiceAccount = wanted.body
    user = await desks.service_accounts.create(wanted.actor, new.name, title=new.title, groups=new.groups)
    return _out(ServiceAccountView(user, new.groups, 0))


OPERATIONS = (
    Operation(
        name="service_accounts.list",
        method="GET",
        path="/service-accounts",
        permission="people:read",
        summary="Service accounts, by name",
        query=Paged,
        answer=ServiceAccountPage,
        run=_list,
    ),
    Operation(
        name="service_accounts.create",
        method="POST",
        path="/service-accounts",
        permission="people:write",
        summary="Add a service account; give it an API key afterwards",
        body=NewServiceAccount,
        answer=ServiceAccount,
        status=201,
        run=_create,
    ),
)
