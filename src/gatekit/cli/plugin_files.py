"""What ``gatekit plugin new`` writes."""

from __future__ import annotations

import keyword
import re

from gatekit.errors import InvalidInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def check_name(name: str) -> None:
    """Raises InvalidInput for what cannot be a module and the name of a plugin."""
    from gatekit.plugins import loader

    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InvalidInput(f"'{name}' cannot be a name: small letters, digits and _, a letter first")
    if name in loader.builtin():
        raise InvalidInput(f"'{name}' is built in; choose another name")


def files(name: str) -> dict[str, str]:
    """Place → text."""
    title = "".join(part.capitalize() for part in name.split("_"))
    filled = {"name": name, "title": title, "package": name.replace("_", "-")}
    return {
        place.format(**filled): _fill(text, filled)
        for place, text in {
            "pyproject.toml": _PROJECT,
            "README.md": _README,
            "src/{name}/__init__.py": _PLUGIN,
            "tests/test_{name}.py": _TEST,
        }.items()
    }


def _fill(text: str, filled: dict[str, str]) -> str:
    for key, value in filled.items():
        text = text.replace(f"@{key}@", value)
    return text


_PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "@package@"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["gatekit-mcp"]

[project.optional-dependencies]
test = ["pytest", "pytest-asyncio"]

[project.entry-points."gatekit.plugins"]
@name@ = "@name@:@title@"

[tool.hatch.build.targets.wheel]
packages = ["src/@name@"]

[tool.pytest.ini_options]
asyncio_mode = "auto"
pythonpath = ["src"]
"""

_README = """\
# @package@

A plugin for Gatekit. Install it beside Gatekit and name it in `gatekit.yaml`:

```yaml
plugins:
  - use: @name@
    words: [secret]
```

`gatekit plugin check` says whether it loads and where it stands.
"""

_PLUGIN = '''\
"""A plugin for Gatekit: blocks calls whose arguments hold one of some words."""

from gatekit.plugin import Asked, Block, Options, Pass, Plugin, Subject, Verdict


class @title@(Plugin):
    """Looks at requests. See gatekit.plugin for all the hooks there are."""

    class Settings(Options, frozen=True):
        words: tuple[str, ...] = ()

    def on_request(self, subject: Subject, asked: Asked) -> Verdict:
        text = " ".join(str(value) for value in asked.arguments.values()).lower()
        found = sum(word.lower() in text for word in self.options.words)
        if found:
            # The reason is for the audit trail, so it never repeats what was found.
            return Block(f"{found} of the words", "a word in it is not allowed here", note=f"words:{found}")
        return Pass()
'''

_TEST = '''\
"""How the plugin behaves in a gateway, without one."""

from gatekit.plugin import Asked, Block
from gatekit.testing import Kit

from @name@ import @title@


async def test_a_word_is_blocked() -> None:
    kit = Kit(@title@, words=["secret"])
    assert isinstance(await kit.request("search", {"query": "My SECRET"}), Block)
    assert kit.seen == ["plugin:words:1"]


async def test_everything_else_passes() -> None:
    kit = Kit(@title@, words=["secret"])
    asked = await kit.request("search", {"query": "cats"})
    assert isinstance(asked, Asked)
    assert asked.arguments == {"query": "cats"}
'''
