"""Entra ID: the groups of people who have more of them than fit into a token ("overage").

From 200 groups on the id_token holds no groups but a hint where to ask. The address in the hint is never
used: it is a claim, and names an interface that Microsoft took out of service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gatekit.errors import ProviderFailed
from gatekit.model.connections import OidcConnection
from gatekit.platform.fetching import Exchange

PATH = "/v1.0/me/transitiveMemberOf/microsoft.graph.group?$select=id&$top=999"
MAX_PAGES = 12
MAX_BYTES = 1024 * 1024
TIMEOUT = 10.0


def too_many_groups(connection: OidcConnection, claims: Mapping[str, Any]) -> bool:
    """Whether the token says that groups are missing in it."""
    if connection.kind != "entra" or "groups" in claims:
        return False
    elsewhere = claims.get("_claim_names")
    return (isinstance(elsewhere, dict) and "groups" in elsewhere) or claims.get("hasgroups") in (
        True,
        "true",
    )


class Graph:
    """Microsoft Graph, asked with the access token of the sign-in."""

    def __init__(self, connection: OidcConnection, fetch: Exchange) -> None:
        self._connection = connection
        self._fetch = fetch

    async def groups(self, access_token: str) -> frozenset[str]:
        """Ids of all groups, nested ones as well, as the ``groups`` claim has them.

        Raises ``ProviderFailed``: with some of the groups somebody would lose rights by chance.
        ``OutboundRefused`` passes through.
        """
        base = self._connection.graph_url
        url, found = f"{base}{PATH}", set[str]()
        headers = {"accept": "application/json", "authorization": f"Bearer {access_token}"}
        for _ in range(MAX_PAGES):
            answer = await self._fetch("GET", url, headers=headers, max_bytes=MAX_BYTES, timeout=TIMEOUT)
            if answer.status in (401, 403):
                raise self._failed("may not be asked: the app needs GroupMember.Read.All", answer.status)
            if answer.status != 200:
                raise self._failed("failed", answer.status)
            page = _page(answer.body)
            if page is None:
                raise self._failed("answered something else than groups", answer.status)
            ids, onward = page
            found.update(ids)
            if not onward:
                return frozenset(found)
            if urlsplit(onward)[:2] != urlsplit(base)[:2]:  # the token must not follow a link elsewhere
                raise self._failed("leads to another host", answer.status)
            url = onward
        raise self._failed(f"has more than {MAX_PAGES} pages of groups", 200)

    def _failed(self, what: str, status: int) -> ProviderFailed:
        connection = self._connection
        return ProviderFailed(
            f"You are in many groups, and {connection.title} does not tell this gateway which. "
            "Tell whoever runs it.",
            f"{connection.name}: Microsoft Graph {what} (status {status})",
        )


def _page(body: bytes) -> tuple[list[str], str] | None:
    """(ids, address of the next page)."""
    try:
        page = json.loads(body.decode("utf-8"))
        ids = [entry["id"] for entry in page["value"]]
        onward = page.get("@odata.nextLink", "")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    if not all(isinstance(ident, str) for ident in ids) or not isinstance(onward, str):
        return None
    return ids, onward
