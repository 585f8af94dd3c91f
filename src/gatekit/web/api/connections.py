"""Ways for people to sign in, as far as they may be told. Their secrets and addresses are not."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from gatekit.errors import NotFound
from gatekit.web.api.desks import ConnectionFacts, Desks
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, paged


class Connection(Struct, frozen=True):
    """One way to sign in."""

    name: str
    kind: str
    title: str
    enabled: bool
    domains: Annotated[tuple[str, ...], Meta(description="E-mail domains that belong to it.")]
    create: Annotated[bool, Meta(description="Who is seen for the first time becomes a person here.")]
    link: Annotated[bool, Meta(description="It may become another way in for somebody who is known.")]
    provisioning: Annotated[bool, Meta(description="Its directory keeps people here, by SCIM.")]


class ConnectionPage(Page[Connection], frozen=True):
    """One page."""


def _out(facts: ConnectionFacts) -> Connection:
    rules = facts.rules
    return Connection(
        name=facts.name,
        kind=facts.kind,
        title=rules.title or facts.name,
        enabled=rules.enabled,
        domains=rules.domains,
        create=rules.create,
        link=rules.link,
        provisioning=rules.provisioning is not None,
    )


def _name(facts: ConnectionFacts) -> str:
    return facts.name


async def _list(desks: Desks, wanted: Wanted) -> Page[Connection]:
    return paged(sorted(desks.connections(), key=_name), wanted.query, _name, _out)


async def _show(desks: Desks, wanted: Wanted) -> Connection:
    for facts in desks.connections():
        if facts.name == wanted["connection"]:
            return _out(facts)
    raise NotFound(f"there is no connection {wanted['connection']}")


OPERATIONS = (
    Operation(
        name="connections.list",
        method="GET",
        path="/connections",
        permission="connections:read",
        summary="Ways for people to sign in, by name",
        query=Paged,
        answer=ConnectionPage,
        run=_list,
    ),
    Operation(
        name="connections.get",
        method="GET",
        path="/connections/{connection}",
        permission="connections:read",
        summary="One way to sign in",
        answer=Connection,
        run=_show,
    ),
)
