"""``schema``: arguments must fit what the tool itself says that it takes (its ``inputSchema``).

Bounded whatever the server declares: no reference leaves the schema, patterns run in linear time, and a
schema whose work could explode (references that branch) is not used beyond a budget.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar, cast

import msgspec

from gatekit.plugin import Asked, Block, Options, Pass, Plugin, Subject, Verdict, Verdicts
from gatekit.plugins.builtin.schema_cost import TooComplex, cost_of, nodes_and_depth

_PASS = Pass()
_MOST_BYTES = 256 * 1024
_BUDGET = 2_000_000
"""Steps of one validation; some tens of milliseconds."""
_MOST_KNOWN = 2000
_MOST_TOLD = 3
_MOST_TEXT = 160


class _Checked(msgspec.Struct, frozen=True):
    """A schema that can be used."""

    schema: Mapping[str, Any]
    validator: Any
    cost: int
    branches: int
    """How often one place of the arguments may be looked at anew at each level; 1: once."""


class Schema(Plugin):
    """Blocks arguments that do not fit."""

    priority: ClassVar[int] = 95
    """Nearest to the server: it knows the tool under the server's own name."""
    deadline: ClassVar[float] = 60.0
    """The server may have to be started before it can be asked."""

    class Settings(Options, frozen=True):
        strict: bool = False
        """Whether a call is blocked as well if the tool has no schema that can be used."""

    def __init__(self, options: Settings, name: str = "") -> None:
        super().__init__(options, name)
        self._known: dict[tuple[str, str], tuple[Any, _Checked | str]] = {}

    def on_request(self, subject: Subject, asked: Asked) -> Verdicts:
        if asked.method != "tools/call" or asked.tool is None:
            return _PASS
        tool = asked.tool(asked.name)
        if tool is None or isinstance(tool, dict):
            return self._judged(subject, asked, tool)
        return self._later(subject, asked, cast("Awaitable[Mapping[str, Any] | None]", tool))

    async def _later(
        self, subject: Subject, asked: Asked, tool: Awaitable[Mapping[str, Any] | None]
    ) -> Verdict:
        return self._judged(subject, asked, await tool)

    def _judged(self, subject: Subject, asked: Asked, tool: Mapping[str, Any] | None) -> Verdict:
        if tool is None:
            return self._unusable("unknown tool")
        known = self._known.get((subject.server, asked.name))
        if known is None or known[0] is not tool:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[subject.server, asked.name] = tool, _checked(tool.get("inputSchema"))
        checked = known[1]
        if isinstance(checked, str):
            return self._unusable(checked)
        nodes, depth = nodes_and_depth(asked.arguments)
        if checked.cost * nodes * checked.branches ** min(depth, 64) > _BUDGET:
            return self._unusable("too much work")
        if checked.validator.is_valid(asked.arguments):
            return _PASS
        return Block("arguments that do not fit", _words(checked.validator, asked.arguments), "invalid")

    def _unusable(self, why: str) -> Verdict:
        if self.options.strict:
            return Block(f"no usable schema: {why}", "the arguments could not be checked")
        return Pass(f"unchecked:{why}")


def _checked(schema: Any) -> _Checked | str:
    if not isinstance(schema, dict):
        return "no schema"
    if len(msgspec.json.encode(schema)) > _MOST_BYTES:
        return "schema too large"
    try:
        cost, branches = cost_of(schema)
    except TooComplex:
        return "schema too complex"
    validators = _library()
    try:
        validator = validators.validator_for(
            schema,
            offline=True,  # references to other documents are not followed
            pattern_options=validators.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20),
            mask="it",
        )
    except (ValueError, validators.ValidationError, validators.ReferencingError):
        return "schema unusable"
    return _Checked(schema, validator, cost, branches)


def _library() -> Any:
    import jsonschema_rs  # noqa: PLC0415 - 6 MB that only this plugin needs

    return jsonschema_rs


def _words(validator: Any, arguments: Any) -> str:
    """The first faults: where, and what is wanted there; never a value."""
    said = []
    for error in validator.iter_errors(arguments):
        where = "".join(f"/{part}" for part in error.instance_path) or "/"
        said.append(f"{where[:_MOST_TEXT]}: {error.message[:_MOST_TEXT]}")
        if len(said) == _MOST_TOLD:
            break
    return "the arguments do not fit the tool: " + "; ".join(said)
