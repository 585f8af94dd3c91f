"""``secrets``: credentials in arguments and results. Redacts by default."""

from __future__ import annotations

from typing import ClassVar

from gatekit.plugins.builtin.guard import Guard


class Secrets(Guard):
    """Tokens of about two hundred makers, private keys, passwords in addresses, assignments and sentences."""

    PACK: ClassVar[str] = "secrets"
