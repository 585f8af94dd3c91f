"""What an operator may write about one plugin: the keys that all have, and whatever else is its options."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Struct

from gatekit.config.fields import (
    Duration,
    Flag,
    Misfit,
    OneOf,
    Place,
    Section,
    Text,
    Whole,
    kinds,
    read_section,
)


class PluginIn(Section, frozen=True, kw_only=True):
    """The keys of every entry; each further one is an option of the plugin itself."""

    use: Annotated[str, Text()]
    name: Annotated[str | None, Text()] = None
    enabled: Annotated[bool, Flag()] = True
    priority: Annotated[int | None, Whole(0, 1000)] = None
    on_error: Annotated[Literal["open", "closed"] | None, OneOf(("open", "closed"))] = None
    deadline: Annotated[float | None, Duration(0.01, 600)] = None


class Written(Struct, frozen=True):
    """One entry as it was read."""

    common: PluginIn
    options: dict[str, Any]


class PluginEntries(Struct, frozen=True):
    """A list of entries."""

    placeholder: tuple[Written, ...] = ()

    def read(self, value: Any, place: Place) -> Any:
        if not isinstance(value, list):
            place.expected("a list of plugins, like [{use: secrets}]", value)
            return Misfit
        read = (self._one(item, place.child(index)) for index, item in enumerate(value))
        return tuple(item for item in read if item is not None)

    def _one(self, item: Any, place: Place) -> Written | None:
        if isinstance(item, str):
            item = {"use": item}
        if not isinstance(item, dict):
            place.expected("a plugin's name, or keys and values", item)
            return None
        known = kinds(PluginIn)
        common = {key: value for key, value in item.items() if key in known}
        options = {key: value for key, value in item.items() if key not in known}
        return Written(read_section(PluginIn, common, place), options)
