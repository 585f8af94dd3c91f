"""``trace``: tells the model, at the end of each tool result, which call it came from. For debugging."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from gatekit.plugin import Answered, Asked, Kind, Options, Pass, Plugin, Replace, Subject, Verdict


class Trace(Plugin):
    """Adds a line of text to tool results."""

    kind: ClassVar[Kind] = "middleware"
    priority: ClassVar[int] = 5
    """Far from the server: what it adds is looked at by nobody else."""

    class Settings(Options, frozen=True):
        arguments: bool = False
        """Whether the arguments are shown, cut at ``max_length`` characters."""
        max_length: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 200

    def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdict:
        if asked.method != "tools/call" or answered.kind != "result":
            return Pass()
        content = answered.body.get("content")
        if not isinstance(content, list):
            return Pass()
        parts = [f"server={subject.server}", f"tool={asked.name}", f"bytes={answered.size}"]
        if self.options.arguments:
            shown = msgspec.json.encode(asked.arguments).decode()
            limit = self.options.max_length
            parts.append(f"arguments={shown[:limit]}" + ("…" if len(shown) > limit else ""))
        parts.append(f"request={subject.request_id}")
        line = {"type": "text", "text": f"[{' '.join(parts)}]"}
        return Replace({**answered.body, "content": [*content, line]}, note="added")
