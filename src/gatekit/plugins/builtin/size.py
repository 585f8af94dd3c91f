"""``size``: how much may pass in one request and in one result. Nothing is decoded to find out."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gatekit.plugin import Answered, Asked, Block, Options, Pass, Plugin, Subject, Verdict

_Bytes = Annotated[int, msgspec.Meta(ge=1)]


class Size(Plugin):
    """Blocks what is larger than it may be."""

    class Settings(Options, frozen=True):
        max_arguments: _Bytes | None = None
        """Bytes of the arguments as JSON."""
        max_result: _Bytes | None = None
        """Bytes of the result as JSON."""

    @property
    def hooks(self) -> frozenset[str]:
        wanted = {"on_request": self.options.max_arguments, "on_response": self.options.max_result}
        return frozenset(hook for hook, limit in wanted.items() if limit is not None)

    def on_request(self, subject: Subject, asked: Asked) -> Verdict:  # noqa: ARG002
        limit = self.options.max_arguments
        size = len(msgspec.json.encode(asked.arguments))
        if size <= limit:
            return Pass()
        return Block(f"{size} bytes of arguments", f"the arguments may have at most {limit} bytes")

    def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdict:  # noqa: ARG002
        limit = self.options.max_result
        if answered.size <= limit:
            return Pass()
        text = f"the result has {answered.size} bytes, the limit is {limit}; ask for less"
        return Block(f"{answered.size} bytes of result", text)
