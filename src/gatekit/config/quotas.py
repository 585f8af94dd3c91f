"""``quotas`` in the file: how much of what may be used, by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatekit.config import document as doc
from gatekit.config.quotas_schema import QuotaIn
from gatekit.config.rulebook import Rulebook
from gatekit.config.rules_schema import RuleIn
from gatekit.config.units import show_seconds, show_size
from gatekit.model.rules import Quota

TOP = "quotas"


class Quotabook(Rulebook):
    """Resolves the quotas of one file. Whom and what they are about is read as it is in ``rules``."""

    top, word = TOP, "quota"

    def quotas(self, written: Sequence[QuotaIn]) -> tuple[Quota, ...]:
        """Everything in the order of the file."""
        return tuple(self._quota(entry, (TOP, index)) for index, entry in enumerate(written))

    def _quota(self, entry: QuotaIn, path: doc.Path) -> Quota:
        limits = (entry.calls, entry.bytes_in, entry.bytes_out, entry.at_once)
        if all(limit is None for limit in limits) and not self._document.faulty(path):
            self._document.fault(path, "limits nothing; write calls, bytes_in, bytes_out or at_once")
        selected = RuleIn(
            name=entry.name,
            effect="deny",
            who=entry.who,
            unless=entry.unless,
            roles=entry.roles,
            clients=entry.clients,
            servers=entry.servers,
            tools=entry.tools,
            prompts=entry.prompts,
            resources=entry.resources,
            shadow=entry.shadow,
        )
        return Quota(
            rule=self._one(selected, path),
            per=entry.per,
            calls=entry.calls,
            bytes_in=entry.bytes_in,
            bytes_out=entry.bytes_out,
            at_once=entry.at_once or 0,
        )


def shown_quota(quota: Quota) -> dict[str, Any]:
    """Plain data in the shape of the file, without whom and what it is about."""
    shown: dict[str, Any] = {"name": quota.name, "per": quota.per}
    for key, allowance, text in (
        ("calls", quota.calls, str),
        ("bytes_in", quota.bytes_in, show_size),
        ("bytes_out", quota.bytes_out, show_size),
    ):
        if allowance is not None:
            shown[key] = f"{text(allowance.amount)}/{show_seconds(allowance.seconds)}"
    if quota.at_once:
        shown["at_once"] = quota.at_once
    return shown | ({"shadow": True} if quota.rule.shadow else {})
