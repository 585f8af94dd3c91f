"""A plugin as somebody else would write it: it knows nothing of Gatekit but ``gatekit.plugin``."""

from __future__ import annotations

from gatekit.plugin import (
    Answered,
    Asked,
    Block,
    Listed,
    Options,
    Pass,
    Plugin,
    Replace,
    Subject,
    Verdict,
)


class AcmeWords(Plugin):
    """Replaces words, forbids others, and says that it was there."""

    class Settings(Options, frozen=True):
        words: dict[str, str] = {}  # noqa: RUF012
        forbidden: tuple[str, ...] = ()

    def on_request(self, subject: Subject, asked: Asked) -> Verdict:
        text = asked.arguments.get("text")
        if asked.method != "tools/call" or not isinstance(text, str):
            return Pass()
        for word in self.options.forbidden:
            if word in text:
                return Block("a forbidden word", f"no {word} here")
        found = [word for word in self.options.words if word in text]
        for word in found:
            text = text.replace(word, self.options.words[word])
        return Replace({**asked.arguments, "text": text}, note=f"words:{len(found)}") if found else Pass()

    async def on_response(self, subject: Subject, asked: Asked, answered: Answered) -> Verdict:
        if asked.method != "tools/call" or answered.kind != "result":
            return Pass()
        first = answered.body["content"][0]
        marked = {**first, "text": f"{first['text']} [seen by acme for {subject.server}]"}
        return Replace({**answered.body, "content": [marked]}, note="seen")

    def on_list(self, subject: Subject, listed: Listed) -> Verdict:
        return Replace(
            [{**item, "description": f"{item.get('description', '')} (watched)"} for item in listed.items]
        )
