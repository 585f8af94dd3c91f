"""What approvers decided → the data plane; what waits there → whoever approves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from gatekit.audit.recorder import Recorder
from gatekit.config.model import Config
from gatekit.errors import OutboundRefused
from gatekit.gateway.asked import event_of
from gatekit.gateway.core import Gateway
from gatekit.model.approvals import Approval
from gatekit.model.ports import Clock, Entropy
from gatekit.platform.signed import key_of, signature
from gatekit.platform.targets import parse
from gatekit.store.approval_ports import Approvals

KEPT = 30 * 86400
"""Seconds for which the store shows what is over; the audit trail has it for longer."""
PAGE = "/admin/approvals"
_NOUN = "approval:"
_TRIES = (0.0, 1.0, 5.0, 20.0)
"""Seconds before each attempt to reach the webhook."""
_PATIENCE = 10.0
_LATER = (408, 429)
"""Refusals that are about the moment (RFC 9110 §15.5.9, RFC 6585 §4)."""
_AT_ONCE = 20
"""Messages on their way; who asks more often than they can be told of still finds it on the page."""
_log = logging.getLogger("gatekit")


class Approving:
    """Keeps both in step."""

    def __init__(self, store: Approvals, gateway: Gateway, recorder: Recorder, clock: Clock) -> None:
        self._store = store
        self._gateway = gateway
        self._recorder = recorder
        self._clock = clock

    async def load(self, writer: str) -> None:
        """End what waited in a process called ``writer`` before; what was allowed for a while counts.

        Raises ``StoreError``, ``AuditUnavailable``.
        """
        now = self._clock.now()
        for approval in await self._store.orphaned(writer, int(now)):
            await self._recorder.write(event_of("ended", approval, now))
        await self._gateway.asking.load()

    async def heard(self, entries: Sequence[str]) -> None:
        """Entries of the store's feed. Raises ``StoreError``."""
        await self._gateway.asking.heard([entry.removeprefix(_NOUN) for entry in entries])

    async def tidy(self) -> None:
        """Raises ``StoreError``."""
        await self._store.trim(int(self._clock.now()) - KEPT)


class Announcer:
    """Tells a webhook of each call that begins to wait. What it is told opens nothing: it holds neither the
    arguments nor anything to approve with, only the address of a page that wants a sign-in."""

    def __init__(self, config: Callable[[], Config], clock: Clock, entropy: Entropy) -> None:
        self._config = config
        self._clock = clock
        self._entropy = entropy
        self._sending: set[asyncio.Task[None]] = set()

    def __call__(self, approval: Approval) -> None:
        settings = self._config().approvals
        if not settings.webhook:
            return
        if len(self._sending) >= _AT_ONCE:
            _log.warning("the approvals webhook is too slow approval=%s", approval.id)
            return
        task = asyncio.ensure_future(self._tell(settings.webhook, settings.webhook_secret, approval))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def close(self) -> None:
        for task in self._sending:
            task.cancel()

    async def _tell(self, url: str, secret: str, approval: Approval) -> None:
        from gatekit.platform.outbound import Outbound  # noqa: PLC0415  (100 ms and 7 MB, as in ``outgoing``)

        # The operator entered it, so it may lie in a private network; it and nothing else.
        outbound = Outbound(self._clock, [parse(url).host])
        body = msgspec.json.encode(self._message(approval))
        delivery = self._entropy.token("msg_", 18)
        for pause in _TRIES:
            await asyncio.sleep(pause)
            at = str(int(self._clock.now()))
            headers = {
                "content-type": "application/json",
                "webhook-id": delivery,
                "webhook-timestamp": at,
                "webhook-signature": signature(key_of(secret), delivery, at, body),
            }
            try:
                answer = await outbound.fetch("POST", url, headers=headers, body=body, timeout=_PATIENCE)
            except OutboundRefused as error:
                _log.warning("the approvals webhook cannot be told approval=%s error=%s", approval.id, error)
                continue
            if answer.status < 300:
                return
            _log.warning("the approvals webhook answered approval=%s status=%d", approval.id, answer.status)
            if 400 <= answer.status < 500 and answer.status not in _LATER:
                return

    def _message(self, approval: Approval) -> dict[str, object]:
        return {
            "type": "approval.asked",
            "id": approval.id,
            "person": approval.principal,
            "client": approval.client or approval.client_id,
            "server": approval.server,
            "method": approval.method,
            "name": approval.name,
            "rule": approval.rule,
            "reason": approval.reason,
            "asked_at": approval.asked_at,
            "expires_at": approval.expires_at,
            "url": f"{self._config().public_url}{PAGE}?id={approval.id}",
        }
