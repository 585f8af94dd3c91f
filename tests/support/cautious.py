"""A person who gives an application less than it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field

from gatekit.demo.browser import Page, Person


@dataclass(frozen=True)
class Cautious(Person):
    """Ticks "only let it read" as often as there is something in ``doubts``."""

    doubts: list[str] = field(default_factory=list, compare=False)

    def _next(self, page: Page, redirect_uri: str, decision: str) -> Page | str:
        for form in page.forms:
            for control in form.fields:
                if control.name == "read_only" and self.doubts:
                    control.checked = True
                    self.doubts.pop()
        return super()._next(page, redirect_uri, decision)
