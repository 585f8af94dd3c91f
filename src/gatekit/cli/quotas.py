"""``gatekit quotas``: what was used of which quota. The running gateway counts, so it is asked."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import click
import msgspec

from gatekit.cli.context import Workspace, located, placed
from gatekit.cli.output import as_json, print_json, print_table
from gatekit.errors import InvalidInput, NotFound, OutboundRefused

KEY_VARIABLE = "GATEKIT_ADMIN_KEY"
_PAGE = 500


@click.group()
@placed
def quotas() -> None:
    """What was used of which quota.

    \b
    Example:
      gatekit quotas show
    """


@quotas.command()
@click.option("--user", default="", metavar="NAME", help="Only what this person has used.")
@click.option("--url", default="", help="The running gateway.  [default: public_url of the file]")
@as_json
@located
def show(workspace: Workspace, /, user: str, url: str, as_json: bool) -> None:
    """Show what was used and what is left, as the running gateway has counted it.

    It is asked over its REST interface, with the admin key in $GATEKIT_ADMIN_KEY (scope audit:read).

    \b
    Example:
      gatekit quotas show --user bob
    """
    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        raise InvalidInput(f"the key is missing: put one that has the scope audit:read into ${KEY_VARIABLE}")
    base = (url or workspace.public_url).rstrip("/")
    if not base:
        raise InvalidInput("where is the gateway? Say --url, or --config")
    found = asyncio.run(_asked(base, key, user))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["name"],
            each["title"] or each["whose"] or "all",
            each["measure"],
            str(each["used"]),
            str(each["left"]),
            _window(each),
            f"{each['retry_after']} s" if each["retry_after"] else "",
        )
        for each in found
    ]
    print_table(("QUOTA", "WHOSE", "WHAT", "USED", "LEFT", "OF", "NEXT IN"), rows, "nothing was used")


def _window(each: dict[str, Any]) -> str:
    limit, seconds = each["limit"], each["seconds"]
    shadow = " (shadow)" if each["shadow"] else ""
    return f"{limit} in {seconds:g} s{shadow}" if seconds else f"{limit} at once{shadow}"


async def _asked(base: str, key: str, user: str) -> list[dict[str, Any]]:
    from urllib.parse import urlencode

    from gatekit.platform.clock import SystemClock
    from gatekit.platform.outbound import Outbound
    from gatekit.platform.targets import parse

    found: list[dict[str, Any]] = []
    cursor = ""
    try:
        # Who names the address means it, wherever it lies.
        outbound = Outbound(SystemClock(), {parse(base).host})
        while True:
            query = urlencode({"limit": _PAGE, "user": user, "cursor": cursor})
            answer = await outbound.fetch(
                "GET", f"{base}/api/v1/quotas?{query}", headers={"authorization": f"Bearer {key}"}
            )
            if answer.status != 200:
                raise NotFound(f"{base} answers with HTTP {answer.status}; is ${KEY_VARIABLE} a key of it?")
            page = msgspec.json.decode(answer.body)
            found += page["items"]
            cursor = page["next_cursor"] or ""
            if not cursor:
                return found
    except OutboundRefused as error:
        raise InvalidInput(f"{base}: {error}") from None
