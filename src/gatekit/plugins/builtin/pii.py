"""``pii``: what belongs to a person: addresses, numbers of cards, accounts and citizens. Redacts by
default."""

from __future__ import annotations

from typing import ClassVar

from gatekit.plugins.builtin.guard import Guard


class Pii(Guard):
    """Numbers count with their checksums; numbers without one only beside a word that says what they are."""

    PACK: ClassVar[str] = "pii"
