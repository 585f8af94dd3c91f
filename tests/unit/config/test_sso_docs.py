"""docs/sso: every example loads, every provider has its page, and the pages say the real callback address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatekit.config.checks import warnings
from gatekit.config.load import load
from gatekit.config.provider_schema import SECTIONS
from tests.unit.config.write import write

PAGES = sorted((Path(__file__).parents[3] / "docs" / "sso").glob("*.md"))
EXAMPLES = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, text in enumerate(
        re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    )
]
SECRET = "-----BEGIN PRIVATE KEY----- of at least thirty-two characters"


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_load(tmp_path: Path, text: str) -> None:
    for number, name in enumerate(dict.fromkeys(re.findall(r"\$\{file:([^}]*)\}", text))):
        content = "<EntityDescriptor/>" if name.endswith(".xml") else SECRET
        (tmp_path / f"secret{number}").write_text(content)
        text = text.replace(f"${{file:{name}}}", f"${{file:secret{number}}}")
    assert load(write(tmp_path, text), {})


def test_every_kind_has_a_page_that_the_index_names() -> None:
    index = next(page for page in PAGES if page.stem == "README").read_text(encoding="utf-8")
    for kind in SECTIONS.keys() - {"local"}:
        assert f"]({kind}.md)" in index
        assert kind in {page.stem for page in PAGES}


def test_check_warns_of_an_open_door(tmp_path: Path) -> None:
    def said(keys: str) -> str:
        google = f"google: {{client_id: a, client_secret: b{keys}}}"
        servers = "servers: {x: {command: ls, allowed_users: ['*']}}"
        text = f"proxy: {{auth: {{providers: {{{google}}}}}}}\n{servers}"
        found = load(write(tmp_path, text), {})
        return "\n".join(warnings(found, {"PATH": "/usr/bin:/bin"}))

    assert "everybody with a Google account may come in" in said("")
    assert "Google account" not in said(", hosted_domains: [example.com]")
    assert "Google account" not in said(", create: false")
    assert "can become another person" in said(", trust_email: true, link: true, trusted_domains: [a.b]")
