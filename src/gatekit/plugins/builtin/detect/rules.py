"""What a rule is, and how packs of them are read."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gatekit.plugins.builtin.detect import checks

NEAR_CHARS = 40
"""How far before a finding one of the words of ``near`` may stand."""
MAX_PATTERN = 2000
MAX_RULES = 2000
MAX_BYTES = 1024 * 1024


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to look for."""

    id: str
    """What a finding is called. Several rules may share it: several ways to see the same thing."""
    title: str
    pattern: str
    """RE2 syntax, which has no look-around and no back references. ``(?P<value>…)`` or ``(?P<bare>…)``
    marks the part that is the finding; without one all of the match is."""
    keywords: tuple[str, ...] = ()
    """Literals, one of which must occur in the text. They make a rule cheap."""
    whole: bool = False
    """Look for the pattern at once, not for its keywords, which are too common to be worth it."""
    ignore_case: bool = False
    check: str | None = None
    """Name of a function in ``checks``; empty: none; None: what the pack says."""
    entropy: float = 0.0
    """Least Shannon entropy of the finding, in bits for each character."""
    near: tuple[str, ...] = ()
    """Words, one of which must stand within ``NEAR_CHARS`` bytes before. With a star: its beginning."""
    allow: tuple[str, ...] = ()
    """Values that are no findings: patterns that must match the whole value."""
    weight: float = 1.0
    """What a finding adds to a score, where findings are scored."""


class Pack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that belong together."""

    name: str
    rules: tuple[Rule, ...]
    check: str = ""
    """The check of rules that name none."""
    ignore_case: bool = False
    """For all of its rules."""


def built_in(name: str) -> Pack:
    """A pack that comes with Gatekit."""
    text = resources.files(__package__).joinpath("packs", f"{name}.yaml").read_text("utf-8")
    return parse(text, f"{name}.yaml")


def load(path: Path) -> Pack:
    """A pack of one's own. Raises ``ValueError`` which says what is wrong with it."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: cannot be read: it must be a file of at most {MAX_BYTES} bytes")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, where: str) -> Pack:
    """Raises ``ValueError``."""
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        # Where and not what: the path may have been a mistake, and lead to something secret.
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark is not None else ""
        raise ValueError(f"{where}: not YAML{line}") from None
    try:
        pack = msgspec.convert(document, Pack)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {error}") from error
    if len(pack.rules) > MAX_RULES:
        raise ValueError(f"{where}: {len(pack.rules)} rules; at most {MAX_RULES}")
    for number, rule in enumerate(pack.rules):
        if fault := _fault(rule, pack):
            raise ValueError(f"{where}: rules[{number}] ({rule.id}): {fault}")
    return pack


def _fault(rule: Rule, pack: Pack) -> str:
    if len(rule.pattern) > MAX_PATTERN:
        return f"the pattern has {len(rule.pattern)} characters; at most {MAX_PATTERN}"
    if any(not word for word in (*rule.keywords, *rule.near)):
        return "an empty keyword would be everywhere"
    wanted = check_of(rule, pack)
    if wanted and wanted not in checks.CHECKS:
        return f"there is no check {wanted!r}; there are {', '.join(sorted(checks.CHECKS))}"
    if rule.ignore_case and any(word != word.lower() for word in rule.near):
        return "with ignore_case the words of near are written in lower case"
    return ""


def check_of(rule: Rule, pack: Pack) -> str:
    """The check that a rule of this pack is under."""
    return pack.check if rule.check is None else rule.check


def ids(packs: Sequence[Pack]) -> dict[str, str]:
    """Id → title of everything these packs can find."""
    return {rule.id: rule.title for pack in packs for rule in pack.rules}


def only(pack: Pack, wanted: Any) -> Pack:
    """The pack without the rules that ``wanted(id)`` does not want."""
    return msgspec.structs.replace(pack, rules=tuple(rule for rule in pack.rules if wanted(rule.id)))
