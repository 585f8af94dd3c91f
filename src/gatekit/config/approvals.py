"""``approvals``: how calls wait for a yes, and who is told of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from gatekit.config import document as doc
from gatekit.config.model import ApprovalSettings
from gatekit.config.schema import ApprovalsIn
from gatekit.config.units import show_seconds
from gatekit.platform.signed import key_of


def resolve_approvals(written: ApprovalsIn, document: doc.Document) -> ApprovalSettings:
    """What is wrong is added to the document's faults."""
    if written.webhook is not None:
        parts = urlsplit(written.webhook)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            document.fault(("approvals", "webhook"), "expected an http or https address")
        if written.webhook_secret is None:
            document.fault(("approvals", "webhook_secret"), "is needed with a webhook: messages are signed")
        else:
            try:
                key_of(written.webhook_secret)
            except ValueError as error:
                document.fault(("approvals", "webhook_secret"), str(error))
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
        parts = urlsplit(settings.webhook)
        shown |= {"webhook": f"{parts.scheme}://{parts.hostname}/***", "webhook_secret": "***"}
    return shown
