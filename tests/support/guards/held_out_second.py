"""The second held-out corpus in one place: written after the rules, by somebody who had not read them."""

from __future__ import annotations

from tests.support.guards.held_out_second_calm import CALM
from tests.support.guards.held_out_second_injection import ORDERS
from tests.support.guards.held_out_second_pii import PII
from tests.support.guards.held_out_second_secrets import SECRETS

__all__ = ["CALM", "ORDERS", "PII", "SECRETS"]
