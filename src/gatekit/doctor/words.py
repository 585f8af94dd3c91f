"""The form of what can be wrong, in words for who has to mend it.

``{names}`` in a text are facts of the case. A title names what is wrong, ``why`` what that does to clients,
``mend`` what to change and where. ``words_discovery`` and ``words_signin`` have the texts.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Level = Literal["failure", "warning"]
"""A failure keeps the clients that it names out; a warning is about comfort, or about what cannot be seen."""


class Words(Struct, frozen=True):
    title: str
    why: str
    mend: str
    level: Level = "failure"
