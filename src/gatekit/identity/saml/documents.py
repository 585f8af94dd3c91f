"""Bytes to a tree and back. The only parser in this room (checklist S2, S4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from lxml import etree

from gatekit.errors import SamlRefused
from gatekit.identity.saml.names import tag

Element: TypeAlias = Any
"""An ``lxml.etree._Element``; lxml has no types of its own."""

MAX_MESSAGE = 256 * 1024
"""Bytes of one message. A person in 1,000 groups with long names needs about 100 KiB."""
MAX_METADATA = 4 * 1024 * 1024
MAX_ELEMENTS = 20_000
MAX_DEPTH = 40

_ENCODING = re.compile(r"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([^"']*)["']""")


def parse(data: bytes, limit: int = MAX_MESSAGE) -> Element:
    """The root of a document. Raise ``SamlRefused``: ``size``, ``xml``, ``doctype``, ``comment``, ``id``.

    UTF-8 only: a parser that may guess an encoding may guess another one than whoever signed.
    """
    if len(data) > limit:
        raise SamlRefused("size", f"{len(data)} bytes, at most {limit} are read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as bad:
        raise SamlRefused("xml", "not UTF-8") from bad
    # Before the parser sees it: what cannot be declared cannot be expanded. A `<!` that is neither a comment
    # nor CDATA is a declaration, wherever it stands; inside CDATA it is text that nobody's name needs.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SamlRefused("doctype", "a document type is declared")
    declared = _ENCODING.match(text)
    if declared is not None and declared.group(1).upper() != "UTF-8":
        raise SamlRefused("xml", "declares another encoding than UTF-8")
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as bad:
        raise SamlRefused("xml", f"not well-formed: {str(bad)[:200]}") from bad
    information = root.getroottree().docinfo
    if information.internalDTD is not None or information.doctype:
        raise SamlRefused("doctype", "a document type is declared")
    _check_nodes(root)
    return root


def _parser() -> Any:
    """A new one for each document: parsers keep state."""
    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        strip_cdata=True,
        encoding="utf-8",
    )


def _check_nodes(root: Element) -> None:
    if root.getprevious() is not None or root.getnext() is not None:
        raise SamlRefused("comment", "something stands beside the root element")
    seen: set[str] = set()
    for count, (depth, node) in enumerate(_walk(root)):
        if not isinstance(node.tag, str):
            # Text around a comment is two nodes; a reader that takes the first reads half a name (S4).
            raise SamlRefused("comment", "comments and processing instructions are not read")
        if count >= MAX_ELEMENTS or depth > MAX_DEPTH:
            raise SamlRefused("size", "too many or too deeply nested elements")
        for name, value in node.attrib.items():
            if name.rpartition("}")[2].lower() == "id":
                if value in seen:
                    raise SamlRefused("id", "an id stands twice")
                seen.add(value)


def _walk(root: Element) -> Iterator[tuple[int, Element]]:
    waiting = [(0, root)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        waiting.extend((depth + 1, child) for child in node)


def ids(root: Element) -> set[str]:
    """Every id in a document."""
    found = set()
    for node in root.iter():
        found |= {value for name, value in node.attrib.items() if name.rpartition("}")[2].lower() == "id"}
    return found


def canonical(element: Element, prefixes: tuple[str, ...] = ()) -> bytes:
    """Exclusive XML Canonicalization 1.0, without comments. Raise ``SamlRefused``."""
    names = list(prefixes)
    try:
        found = etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=names
        )
    except (etree.LxmlError, ValueError) as bad:  # a relative namespace, for one
        raise SamlRefused("xml", f"cannot be canonicalised: {str(bad)[:200]}") from bad
    return bytes(found)


def serialised(root: Element) -> bytes:
    """The document as text."""
    return bytes(etree.tostring(root))


# -- reading -----------------------------------------------------------------------------------------------


def children(element: Element, name: str) -> list[Element]:
    """Direct children called ``saml:Issuer`` and so on."""
    return list(element.findall(tag(name)))


def child(element: Element, name: str) -> Element | None:
    """The only direct child of this name, None if there is none. Raise ``SamlRefused`` for several."""
    found = children(element, name)
    if len(found) > 1:
        raise SamlRefused("structure", f"{name} stands more than once")
    return found[0] if found else None


def needed(element: Element, name: str) -> Element:
    found = child(element, name)
    if found is None:
        raise SamlRefused("structure", f"{name} is missing")
    return found


def text(element: Element) -> str:
    """All the text of an element that may hold nothing else. Raise ``SamlRefused``."""
    if len(element):
        raise SamlRefused("structure", f"{local(element)} holds elements where text belongs")
    return element.text or ""


def local(element: Element) -> str:
    """The name without its namespace, for messages."""
    return str(etree.QName(element).localname)
