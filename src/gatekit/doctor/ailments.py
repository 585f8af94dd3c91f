"""Everything that can be wrong, as a value: a code, and the facts that its words are filled in with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from gatekit.doctor.words import Level, Words
from gatekit.doctor.words_discovery import DISCOVERY
from gatekit.doctor.words_signin import SIGN_IN


class Ailment(Struct, frozen=True):
    """One thing that is wrong. ``code`` names it for programs and for good; ``facts`` fill in its text."""

    code: str
    facts: Mapping[str, str] = MappingProxyType({})

    @property
    def level(self) -> Level:
        return WORDS[self.code].level

    @property
    def title(self) -> str:
        return self._text(WORDS[self.code].title)

    @property
    def why(self) -> str:
        return self._text(WORDS[self.code].why)

    @property
    def mend(self) -> str:
        return self._text(WORDS[self.code].mend)

    def _text(self, template: str) -> str:
        return template.format_map(defaultdict(lambda: "?", self.facts))


WORDS: Mapping[str, Words] = MappingProxyType({**DISCOVERY, **SIGN_IN})
"""Code → what it means. The codes are part of the JSON form and stay."""
