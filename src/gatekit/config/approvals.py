"""``approvals``: how calls wait for a yes, and who is told of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from gatekit.config import document as doc
from gatekit.config.model import ApprovalSettings
from gatekit.config.schema import ApprovalsIn
from gatekit.config.units import show_seconds

SHORTEST_SECRET = 16


def resolve_approvals(written: ApprovalsIn, document: doc.Document) -> ApprovalSettings:
    """What is wrong is added to the document's faults."""
    if written.webhook is not None:
        parts = urlsplit(written.webhook)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            document.fault(("approvals", "webhook"), "expected an http or https address")
        if len(written.webhook_secret or "") < SHORTEST_SECRET:
            text = (
                f"is needed with a webhook, with at least {SHORTEST_SECRET} characters: messages are signed"
            )
            document.fault(("approvals", "webhook_secret"), text)
    elif written.webhook_secret is not None:
        document.fault(("approvals", "webhook_secret"), "goes with a webhook, and there is none")
    return ApprovalSettings(
        wait=written.wait,
        max_per_user=written.max_per_user,
        max_waiting=written.max_waiting,
        show_arguments=written.show_arguments,
        webhook=written.webhook or "",
        webhook_secret=written.webhook_secret or "",
    )


def show_approvals(settings: ApprovalSettings) -> dict[str, Any]:
    """For people. Of a webhook only the host is shown: many a service takes its key in the path."""
    shown: dict[str, Any] = {
        "wait": show_seconds(settings.wait),
        "max_per_user": settings.max_per_user,
        "max_waiting": settings.max_waiting,
        "show_arguments": settings.show_arguments,
    }
    if settings.webhook:
        host = urlsplit(settings.webhook).hostname
        shown |= {"webhook": f"https://{host}/***", "webhook_secret": "***"}
    return shown
