"""What the pages tell people to write can be written: every example in YAML loads as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.saml import keys, metadata
from tests.unit.config.write import faults

DOCS = Path(__file__).parents[3] / "docs"
PAGES = (
    "oauth.md",
    "openid.md",
    "resources.md",
    "scim.md",
    *sorted(f"sso/{path.name}" for path in (DOCS / "sso").glob("*.md") if path.name != "README.md"),
)
SECRET = "a secret of some length, in a file"
ENVIRON = dict.fromkeys(("PLANNER_SECRET", "WIKI_SECRET"), SECRET)
EXAMPLES = [
    pytest.param(text, id=f"{page}-{number}")
    for page in PAGES
    for number, text in enumerate(
        re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    )
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_of_the_pages_load(tmp_path: Path, text: str) -> None:
    """Secrets stand where this machine has a file."""
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "idp.xml").write_bytes(metadata([keys("idp")]))
    placed = re.sub(r"/run/secrets/[\w-]+", str(tmp_path / "secret"), text)
    assert faults(tmp_path, placed, ENVIRON) == ()


def test_every_page_has_an_example() -> None:
    assert {str(example.id).rpartition("-")[0] for example in EXAMPLES} == set(PAGES)


def test_the_file_of_the_readme_loads(tmp_path: Path) -> None:
    """Its pieces are one file: who may use what, and what must not happen."""
    text = (DOCS.parent / "README.md").read_text("utf-8")
    pieces = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(pieces) == 2
    assert faults(tmp_path, "\n".join(pieces), {}) == ()
