"""The few kinds of value a configuration is made of, and how one section is read from plain data.

A section is a Struct whose fields carry a kind: ``port: Annotated[int, Whole(1, 65535)] = 8080``. Reading
never stops: what does not fit is a fault of the document and is replaced by the default, so that one wrong
key does not hide the faults elsewhere. (A validation library would do this too, for 250 ms of start-up and
16 MB of memory.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol, TypeVar, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from gatekit.config import document as doc
from gatekit.config.units import seconds, show_seconds, show_size, size


class Section(Struct, frozen=True, kw_only=True):
    """Base of every part of the schema."""


SectionT = TypeVar("SectionT", bound=Section)


class Place(Struct, frozen=True):
    """Where a value stands, and where its faults go."""

    document: doc.Document
    path: doc.Path
    secret: frozenset[doc.Path]
    """Places whose value came from a reference and must not be shown."""
    unknown: Callable[[doc.Path], str]
    """What to say about a key that is not known."""

    def child(self, part: str | int) -> Place:
        return Place(self.document, (*self.path, part), self.secret, self.unknown)

    def expected(self, what: str, value: object) -> None:
        """Say that a value is of the wrong type."""
        shown = "" if self.path in self.secret else f", not {_show(value)}"
        self.document.fault(self.path, f"expected {what}{shown}")

    def fault(self, text: str) -> None:
        self.document.fault(self.path, text)


class Misfit:
    """The value of a field that could not be read; a fault has been recorded."""


class Kind(Protocol):
    """One kind of value."""

    @property
    def placeholder(self) -> Any:
        """Stands in for a required value that is missing or wrong."""
        ...

    def read(self, value: Any, place: Place) -> Any:
        """The value in its own type, or ``Misfit`` after a fault."""
        ...


class Text(Struct, frozen=True):
    """Text. Empty only if ``empty`` says so."""

    empty: bool = False
    placeholder: str = "missing"

    def read(self, value: Any, place: Place) -> Any:
        if not isinstance(value, str):
            place.expected("text (put it in quotes)", value)
        elif not value and not self.empty:
            place.fault("must not be empty")
        else:
            return value
        return Misfit


class Anything(Struct, frozen=True):
    """Any value that JSON knows, as it stands."""

    placeholder: None = None

    def read(self, value: Any, place: Place) -> Any:  # noqa: ARG002
        return value


class Flag(Struct, frozen=True):
    """true or false."""

    placeholder: bool = False

    def read(self, value: Any, place: Place) -> Any:
        if isinstance(value, bool):
            return value
        # YAML 1.2 reads yes and no as text, and a reference always yields text.
        words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        place.expected("true or false", value)
        return Misfit


class Whole(Struct, frozen=True):
    """A whole number within bounds."""

    least: int
    most: int

    @property
    def placeholder(self) -> int:
        return self.least

    def read(self, value: Any, place: Place) -> Any:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            place.expected("a whole number", value)
        elif not self.least <= value <= self.most:
            place.fault(f"must be from {self.least} to {self.most}")
        else:
            return value
        return Misfit


class Duration(Struct, frozen=True):
    """A duration within bounds, in seconds."""

    least: float
    most: float

    @property
    def placeholder(self) -> float:
        return self.least

    def read(self, value: Any, place: Place) -> Any:
        try:
            found = seconds(value)
        except ValueError as error:
            place.expected(str(error), value)
            return Misfit
        if not self.least <= found <= self.most:
            place.fault(f"must be from {show_seconds(self.least)} to {show_seconds(self.most)}")
            return Misfit
        return found


class Size(Struct, frozen=True):
    """A size within bounds, in bytes."""

    least: int
    most: int

    @property
    def placeholder(self) -> int:
        return self.least

    def read(self, value: Any, place: Place) -> Any:
        try:
            found = size(value)
        except ValueError as error:
            place.expected(str(error), value)
            return Misfit
        if not self.least <= found <= self.most:
            place.fault(f"must be from {show_size(self.least)} to {show_size(self.most)}")
            return Misfit
        return found


class OneOf(Struct, frozen=True):
    """One of a few words. ``advice`` is said instead of the words when it is there."""

    words: tuple[str, ...]
    advice: str = ""

    @property
    def placeholder(self) -> str:
        return self.words[0]

    def read(self, value: Any, place: Place) -> Any:
        if isinstance(value, str) and value in self.words:
            return value
        if self.advice:
            place.fault(self.advice)
        else:
            place.expected(
                " or ".join((", ".join(self.words[:-1]), self.words[-1])).removeprefix(" or "), value
            )
        return Misfit


class Texts(Struct, frozen=True):
    """A list of texts; ``empty`` as for ``Text``."""

    empty: bool = False
    placeholder: tuple[str, ...] = ()

    def read(self, value: Any, place: Place) -> Any:
        if not isinstance(value, list):
            place.expected("a list, like [a, b]", value)
            return Misfit
        kind = Text(empty=self.empty)
        items = (kind.read(item, place.child(index)) for index, item in enumerate(value))
        # The neighbours of a wrong item keep their indexes; "*" is well-formed wherever lists of names are.
        return tuple("*" if item is Misfit else item for item in items)


class Command(Struct, frozen=True):
    """A command line, or a list of words."""

    placeholder: str = "missing"

    def read(self, value: Any, place: Place) -> Any:
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return Texts(empty=True).read(value, place)
        place.expected("a command, or a list of words", value)
        return Misfit


class Entries(Struct, frozen=True):
    """Names that the operator chooses, each with a value of one kind."""

    kind: Kind

    @property
    def placeholder(self) -> dict[str, Any]:
        return {}

    def read(self, value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            place.expected("keys and values", value)
            return Misfit
        read = {name: self.kind.read(item, place.child(name)) for name, item in value.items()}
        return {name: self.kind.placeholder if item is Misfit else item for name, item in read.items()}


class Sub(Struct, frozen=True):
    """A section."""

    model: type[Section]

    @property
    def placeholder(self) -> Section:
        return self.model(
            **{name: kind.placeholder for name, (kind, info) in kinds(self.model).items() if info.required}
        )

    def read(self, value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            place.expected("keys and values", value)
            return Misfit
        return read_section(self.model, value, place)


class MapOrList(Struct, frozen=True):
    """Sections by name, or a list of sections that hold their name."""

    by_name: type[Section]
    listed: type[Section]

    @property
    def placeholder(self) -> dict[str, Section]:
        return {}

    def read(self, value: Any, place: Place) -> Any:
        if isinstance(value, dict):
            return Entries(Sub(self.by_name)).read(value, place)
        if not isinstance(value, list):
            place.expected("servers by name, or a list of servers", value)
            return Misfit
        kind = Sub(self.listed)
        read = [kind.read(item, place.child(index)) for index, item in enumerate(value)]
        return [kind.placeholder if item is Misfit else item for item in read]


class Several(Struct, frozen=True):
    """A list of sections."""

    model: type[Section]
    placeholder: tuple[Section, ...] = ()

    def read(self, value: Any, place: Place) -> Any:
        if not isinstance(value, list):
            place.expected("a list, each entry with a dash before it", value)
            return Misfit
        kind = Sub(self.model)
        read = [kind.read(item, place.child(index)) for index, item in enumerate(value)]
        return tuple(kind.placeholder if item is Misfit else item for item in read)


@cache
def kinds(model: type[Section]) -> Mapping[str, tuple[Kind, FieldInfo]]:
    """The keys of a section, each with its kind."""
    hints = get_type_hints(model, include_extras=True)
    found: dict[str, tuple[Kind, FieldInfo]] = {}
    for info in msgspec.structs.fields(model):
        marks = getattr(hints[info.name], "__metadata__", ())
        found[info.name] = (marks[0] if marks else Sub(hints[info.name]), info)
    return found


def default_of(info: FieldInfo) -> Any:
    """The default of an optional key."""
    return info.default if info.default is not NODEFAULT else info.default_factory()


def read_section(model: type[SectionT], data: dict[str, Any], place: Place) -> SectionT:
    """Read one section. Always returns one; whether it may be used is for the document's faults to say."""
    known = kinds(model)
    values: dict[str, Any] = {}
    unknown = [key for key in data if key not in known]
    texts = {key: place.unknown((*place.path, key)) for key in unknown}
    for key in unknown:
        place.child(key).fault(texts[key])
    for name, (kind, info) in known.items():
        value = kind.read(data[name], place.child(name)) if name in data else Misfit
        if value is not Misfit:
            values[name] = value
        elif info.required:
            values[name] = kind.placeholder
            # A slip of the pen is one fault, not an unknown key and a missing one.
            if name not in data and not any(f"'{name}'" in text for text in texts.values()):
                place.child(name).fault("is required")
    return model(**values)


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    return repr(value) if len(repr(value)) <= 40 else "something that long"
