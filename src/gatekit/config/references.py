"""``${env:NAME}`` and ``${file:path}``: values that do not stand in the file itself. ``${user:name}`` in the
environment of a server: a value that is another one for each person.

``places`` remembers what came out of a reference, so that it is not shown where secrets belong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gatekit.config import document as doc
from gatekit.model.personal import Attribute, Template

MAX_SECRET_BYTES = 64 * 1024

_REFERENCE = re.compile(r"\$(\$)?\{([^}]*)\}")


class References:
    """Resolves the references of one document and remembers which files they named."""

    def __init__(
        self, document: doc.Document, base: Path, environ: Mapping[str, str], root: Path | None = None
    ) -> None:
        self._document = document
        self._root = root and root.resolve()
        self._base = base
        self._environ = environ
        self.files: dict[Path, None] = {}
        """Every file that was named, readable or not, in order."""
        self.places: set[doc.Path] = set()
        """Where a reference stood."""
        self.personal: dict[doc.Path, Template] = {}
        """Where an attribute of a person stood, and the whole text around it; structured, because what comes
        out of a reference may look like one."""

    @property
    def confined(self) -> bool:
        """Whether whoever wrote the document may name files of one directory only (a tenant)."""
        return self._root is not None

    def resolve_all(self) -> None:
        """Replace every string in the document; a missing value is a fault at its line."""
        self._document.data = self._walk(self._document.data, ())

    def _walk(self, value: object, path: doc.Path) -> object:
        if isinstance(value, dict):
            return {key: self._walk(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._walk(item, (*path, index)) for index, item in enumerate(value)]
        # A command is split into words first, so that a secret with a blank in it stays one word.
        if isinstance(value, str) and "${" in value and not doc.matches(path, "servers.*.command"):
            return self.resolve(value, path)
        return value

    def resolve(self, text: str, path: doc.Path) -> str:
        """``text`` with its references replaced; ``places`` remembers where there was one."""
        parts: list[str | Attribute] = []
        end = 0
        for match in _REFERENCE.finditer(text):
            parts += [text[end : match.start()], self._part(match, path)]
            end = match.end()
        parts.append(text[end:])
        if any(isinstance(part, Attribute) for part in parts):
            self.personal[path] = tuple(part for part in parts if part)
        return "".join(part for part in parts if isinstance(part, str))

    def _part(self, match: re.Match[str], path: doc.Path) -> str | Attribute:
        if match[1]:
            return "${" + match[2] + "}"  # $${…} is the literal text ${…}
        if match[2].startswith("user:"):
            return self._attribute(match[2], path)
        self.places.add(path)
        return self._value(match[2], path)

    def _attribute(self, reference: str, path: doc.Path) -> str | Attribute:
        name, has_default, default = reference.removeprefix("user:").partition(":-")
        if not doc.matches(path, "servers.*.env.*"):
            # Arguments are visible to every user of the machine, and nothing else is made per person.
            self._document.fault(path, f"${{{reference}}} may only stand in the env of a server")
        elif name not in Attribute.KNOWN:
            known = ", ".join(Attribute.KNOWN)
            self._document.fault(path, f"unknown attribute in ${{{reference}}}: {known} are known")
        else:
            return Attribute(name, default if has_default else None)
        return ""

    def _value(self, reference: str, path: doc.Path) -> str:
        kind, colon, name = reference.partition(":")
        if colon and kind == "env" and name:
            value = self._environ.get(name)
            if value is None:
                self._document.fault(path, f"the environment variable {name} is not set")
                return ""
            return value
        if colon and kind == "file" and name:
            return self._file(name, path)
        known = f"write ${{env:{reference}}} for a variable, " if reference.isidentifier() else ""
        known += "${env:NAME}, ${file:path} and ${user:name} are known"
        text = f"unknown reference ${{{reference}}}: {known}, and $${{{reference}}} is the literal text"
        self._document.fault(path, text)
        return ""

    def _file(self, name: str, path: doc.Path) -> str:
        place = (self._base / name).absolute()
        if self._root is not None:
            place = place.resolve()
            if not place.is_relative_to(self._root):  # said before anybody looks whether it is there
                self._document.fault(path, f"the file {name} lies outside of the directory of this file")
                return ""
        self.files[place] = None
        try:
            with place.open("rb") as stream:
                content = stream.read(MAX_SECRET_BYTES + 1)
            text = content.decode()
        except OSError as error:
            self._document.fault(path, f"the file {place} cannot be read: {error.strerror or error}")
            return ""
        except UnicodeDecodeError:
            self._document.fault(path, f"the file {place} is not text (UTF-8)")
            return ""
        if len(content) > MAX_SECRET_BYTES or "\0" in text:
            self._document.fault(path, f"the file {place} holds no secret: too long, or binary")
            return ""
        return text.rstrip("\r\n")
