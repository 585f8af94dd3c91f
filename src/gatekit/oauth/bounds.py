"""What the configuration lets a client have at most, whoever agrees to more.

Asked twice: when something is granted, so that a token says what it opens, and when a token is verified, so
that an operator who takes something away takes it from the tokens that are there as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from gatekit.errors import InvalidScope
from gatekit.model.access import Access
from gatekit.model.oauth import Client
from gatekit.model.scopes import ALL, WHOLE
from gatekit.oauth.resources import Reach


def bounded(client: Client | None, scopes: Iterable[str]) -> tuple[str, ...]:
    """The part of ``scopes`` that the configuration leaves to ``client``; all of them if it says nothing."""
    if client is None or client.source != "configured" or not client.scope:
        return tuple(scopes)
    allowed = client.scope.split()
    # The scope that stands for all the others opens what is left of them.
    opened = dict.fromkeys(
        name for scope in scopes for name in (ALL if scope == WHOLE and WHOLE not in allowed else (scope,))
    )
    return tuple(scope for scope in opened if scope in allowed)


def granted_to(client: Client, scopes: Iterable[str]) -> tuple[str, ...]:
    """``bounded``, for a new grant. Raises ``InvalidScope`` if nothing is left."""
    wanted = tuple(scopes)
    found = bounded(client, wanted)
    if wanted and not found:  # a resource server elsewhere need not have any
        raise InvalidScope("the client may have none of these scopes", f"client {client.id} is bounded")
    return found


def reach_of(client: Client | None, reach: Reach) -> Reach:
    """The part of ``reach`` that the configuration leaves to ``client``.

    The aggregate endpoint is everything that a principal may use, so a bounded client has no use of it.
    """
    if client is None or not client.servers:
        return reach
    return Reach(reach.servers.intersection(client.servers), False)


def within(client: Client | None, access: Access) -> bool:
    """Whether everything that a verified access token opened is still left to ``client``: what a stream was
    opened with must not outlive a bound that became narrower."""
    reach = Reach(access.servers, access.aggregate)
    return reach_of(client, reach) == reach and access.scopes <= frozenset(bounded(client, access.scopes))
