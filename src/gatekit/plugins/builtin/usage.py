"""``usage``: about how many tokens a result or a list costs the model that reads it, in the audit record.

An estimate by size (four bytes of JSON are about one token of English): exact numbers need the tokenizer of
the very model, which nobody on this side of it knows.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from gatekit.plugin import Answered, Asked, Kind, Listed, Options, Pass, Plugin, Subject, Verdict


class Usage(Plugin):
    """Notes ``in`` (arguments) and ``out`` (result) in tokens."""

    kind: ClassVar[Kind] = "audit"

    class Settings(Options, frozen=True):
        bytes_per_token: float = 4.0

    def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdict:  # noqa: ARG002
        before = self._tokens(len(msgspec.json.encode(asked.arguments)))
        return Pass(f"in={before} out={self._tokens(answered.size)}")

    def on_list(self, subject: Subject, listed: Listed) -> Verdict:  # noqa: ARG002
        return Pass(f"out={self._tokens(len(msgspec.json.encode(listed.items)))}")

    def _tokens(self, size: int) -> int:
        return int(size / max(self.options.bytes_per_token, 0.1) + 0.5)
