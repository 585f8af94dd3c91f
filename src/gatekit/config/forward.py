"""``proxy.forward_auth``: applications that a reverse proxy asks us about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gatekit.config import document as doc
from gatekit.config.addresses import host_of, secure_origin
from gatekit.config.schema import ProxyIn
from gatekit.config.selectors import Selectors
from gatekit.model.rules import ServerRules
from gatekit.model.target import Target

TOP = "proxy.forward_auth"
PLACE: doc.Path = ("proxy", "forward_auth")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def resolve_targets(
    proxy: ProxyIn,
    public_url: str,
    selectors: Selectors,
    check_name: Callable[[str, doc.Path], None],
    document: doc.Document,
    taken: Mapping[str, str],
) -> tuple[tuple[Target, ...], tuple[ServerRules, ...]]:
    """Everything in the order of the file. ``taken``: identifiers of resource servers elsewhere, and their
    names: a token for one of those must not be one for an application."""
    if proxy.forward_auth and not proxy.trusted_proxies:
        text = (
            "is required with forward_auth: only a proxy named here is believed about what it was asked for"
        )
        document.fault(("proxy", "trusted_proxies"), text)
    if proxy.forward_auth and not proxy.auth.enabled:
        document.fault(PLACE, "needs proxy.auth.enabled: nobody can be told apart without it")
    if proxy.forward_auth and proxy.auth.external is not None:
        text = (
            "cannot be used while people sign in elsewhere (proxy.auth.external): browsers come to us for it"
        )
        document.fault(PLACE, text)
    targets: list[Target] = []
    rules: list[ServerRules] = []
    seen = dict(taken)
    for name, section in proxy.forward_auth.items():
        path = (*PLACE, name)
        check_name(name, path)
        url = section.url
        try:
            url = _url(url)
            if host_of(url) == host_of(public_url):
                # Cookies are not kept apart by port or path: the application would get the gateway's own.
                raise ValueError(
                    "must have another host name than public_url, which keeps the sign-in cookie"
                )
        except ValueError as error:
            document.fault((*path, "url"), str(error))
        if (first := seen.setdefault(url, name)) != name:
            document.fault((*path, "url"), f"is the one of '{first}' already")
        targets.append(Target(name=name, url=url, title=section.title or name, sign_in=section.sign_in))
        rules.append(ServerRules(server=name, place=TOP, allowed=selectors.access(section, path)))
    return tuple(targets), tuple(rules)


def _url(text: str) -> str:
    """An origin and perhaps a path that has one spelling only. Raises ``ValueError``."""
    scheme, mark, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    path = (slash + path).rstrip("/")
    if not _PATH.fullmatch(path) or any(set(part) <= {"."} for part in path.split("/")[1:]):
        raise ValueError("the path may hold letters, digits and . _ ~ - only, and no dot segments")
    if path.startswith("/.gatekit"):
        raise ValueError("paths below /.gatekit are ours")
    return secure_origin(f"{scheme}{mark}{host}") + path
