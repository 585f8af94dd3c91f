"""``servers``: both forms, to ``Server`` and ``ServerRules``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from gatekit.config import commands, remotes
from gatekit.config import document as doc
from gatekit.config.model import ServerConfig
from gatekit.config.references import References
from gatekit.config.schema import NamedServerIn, ServerIn
from gatekit.config.selectors import Selectors
from gatekit.model.personal import Template, Templates
from gatekit.model.rules import NarrowedKind, ServerRules, ToolRule
from gatekit.model.server import Server
from gatekit.protocol import names

_MOST, _EACH = 50, 10
"""Instances of one server: processes in all, and for one person."""
_MOST_REMOTE, _EACH_REMOTE = 1000, 100
"""The same where nothing runs on this machine."""
_OVERRIDE = "refused; set `allow_dangerous: true` on this server if it is meant"


class Servers:
    """Resolves the servers of one file."""

    def __init__(
        self, document: doc.Document, references: References, selectors: Selectors, base: Path
    ) -> None:
        self._document = document
        self._references = references
        self._selectors = selectors
        self._base = base
        self._seen: dict[str, str] = {}

    def resolve(
        self, servers: Mapping[str, ServerIn] | list[NamedServerIn]
    ) -> tuple[tuple[ServerConfig, ...], tuple[ServerRules, ...]]:
        """Everything in the order of the file."""
        configs: list[ServerConfig] = []
        rules: list[ServerRules] = []
        for name, path, section in _each(servers):
            self.check_name(name, path)
            configs.append(self._server(name, section, path))
            rules.append(self._rules(name, section, path))
        return tuple(configs), tuple(rules)

    def check_name(self, name: str, path: doc.Path) -> None:
        place = (*path, "name") if isinstance(path[-1], int) else path
        if self._document.faulty(path) or self._document.faulty(place):
            return
        if not names.may_be_published(name):
            self._document.fault(
                place, f"'{name}' cannot be a server's name: 1 to 64 of letters, digits, _ . -"
            )
        elif set(name) == {"."}:
            # Clients resolve dot segments before they send (RFC 3986 §5.2.4): /s/../mcp is another endpoint.
            self._document.fault(place, "a server's name must not consist of dots")
        elif not names.can_be_prefix(name):
            text = "must not hold `__` or end with `_`: the aggregate endpoint names tools `server__tool`"
            self._document.fault(place, text)
        elif (folded := name.lower()) in self._seen:
            self._document.fault(
                place, f"there is a server '{self._seen[folded]}' already (case does not count)"
            )
        else:
            self._seen[folded] = name

    def _server(self, name: str, section: ServerIn, path: doc.Path) -> ServerConfig:
        remotes.check_keys(self._document, section, path)
        words, secret_words = self._words(section, path)
        found = commands.danger(words)
        if found and not section.allow_dangerous:
            self._document.fault((*path, "command"), f"{found}: {_OVERRIDE}")
        return ServerConfig(
            server=Server(
                name=name,
                command=words,
                url=remotes.url(self._document, section, path),
                transport=section.transport,
                headers=remotes.headers(self._document, section, path),
                env=self._env(section, path),
                personal_env=self._personal(section, path),
                # `python -m tools` is meant where the file is, wherever the gateway was started from.
                cwd=str((self._base / (section.cwd or ".")).absolute()),
                title=section.title,
                instances=section.instances,
                idle_timeout=section.idle_timeout,
                max_instances=section.max_instances or (_MOST if words else _MOST_REMOTE),
                max_instances_per_user=section.max_instances_per_user or (_EACH if words else _EACH_REMOTE),
                warm=self._warm(section, path),
                max_waiting=section.max_waiting,
                max_waiting_per_user=section.max_waiting_per_user,
                max_wait=section.max_wait,
                max_calls=section.max_calls,
                max_calls_per_user=section.max_calls_per_user,
                max_calls_waiting=section.max_calls_waiting,
                max_call_wait=section.max_call_wait,
                max_line_bytes=section.max_line,
                max_result_bytes=section.max_result,
                start_timeout=section.start_timeout,
                call_timeout=section.call_timeout,
                probe_timeout=section.probe_timeout,
                pins=section.pins,
            ),
            line=self._document.line(path),
            allow_dangerous=section.allow_dangerous,
            requestable=section.requestable,
            secret_env=frozenset(
                key for key in section.env if (*path, "env", key) in self._references.places
            ),
            secret_words=secret_words,
            secret_headers=remotes.secret_headers(self._references, section, path),
            secret_url=(*path, "url") in self._references.places,
        )

    def _words(self, section: ServerIn, path: doc.Path) -> tuple[tuple[str, ...], frozenset[int]]:
        """argv, and which of its words came from references."""
        place = (*path, "command")
        if section.command is None:
            return (), frozenset()
        if isinstance(section.command, str):
            result = commands.split(section.command)
            if isinstance(result, commands.Refused):
                self._document.fault(place, result.reason)
                return ("missing",), frozenset()
            words = tuple(self._references.resolve(word, place) for word in result.words)
            secret = [word != written for word, written in zip(words, result.words, strict=True)]
        else:
            words = section.command
            secret = [(*place, index) in self._references.places for index in range(len(words))]
        words += section.args
        secret += [(*path, "args", index) in self._references.places for index in range(len(section.args))]
        if not words or not words[0]:
            self._document.fault(place, "is empty")
            return ("missing",), frozenset()
        if any("\0" in word for word in words):
            self._document.fault(place, "holds a NUL character")
        if any(secret):
            text = (
                "a referenced value on a command line is visible to other users of this machine; prefer env"
            )
            self._document.note(place, text)
        return words, frozenset(index for index, hidden in enumerate(secret) if hidden)

    def _env(self, section: ServerIn, path: doc.Path) -> tuple[tuple[str, str], ...]:
        for name, value in section.env.items():
            place = (*path, "env", name)
            if (why := commands.bad_variable(name)) or "\0" in value:
                self._document.fault(place, why or "holds a NUL character")
            elif (why := commands.hijack(name)) and not section.allow_dangerous:
                self._document.fault(place, f"{why}: {_OVERRIDE}")
        personal = self._references.personal
        return tuple((k, v) for k, v in section.env.items() if (*path, "env", k) not in personal)

    def _personal(self, section: ServerIn, path: doc.Path) -> Templates:
        """The variables that are another one for each person."""
        found: list[tuple[str, Template]] = []
        for name in section.env:
            place = (*path, "env", name)
            template = self._references.personal.get(place)
            if template is None:
                continue
            if section.instances == "shared":
                text = "a shared instance belongs to no person; use `instances: user` or `session`"
                self._document.fault(place, text)
            elif name == "PATH" or commands.hijack(name):
                self._document.fault(place, "no person's attribute may decide which code runs")
            found.append((name, template))
        return tuple(found)

    def _warm(self, section: ServerIn, path: doc.Path) -> int:
        """Processes to keep started ahead of need."""
        personal = any((*path, "env", name) in self._references.personal for name in section.env)
        if section.warm and (personal or section.instances == "shared"):
            why = "env names the person" if personal else "a shared instance is one process anyway"
            self._document.fault((*path, "warm"), f"nothing can be started ahead of need: {why}")
        elif section.warm > (section.max_instances or _MOST):
            self._document.fault((*path, "warm"), "must not be more than max_instances")
        return section.warm

    def _rules(self, name: str, section: ServerIn, path: doc.Path) -> ServerRules:
        declared: tuple[tuple[NarrowedKind, Mapping[str, tuple[str, ...]]], ...] = (
            ("tool", section.tools),
            ("prompt", section.prompts),
            ("resource", section.resources),
        )
        narrowings = tuple(
            ToolRule(glob=glob, kind=kind, allowed=self._selectors.many(entries, (*path, f"{kind}s", glob)))
            for kind, globs in declared
            for glob, entries in globs.items()
        )
        return ServerRules(server=name, allowed=self._selectors.access(section, path), tools=narrowings)


def _each(
    servers: Mapping[str, ServerIn] | list[NamedServerIn],
) -> Iterator[tuple[str, doc.Path, ServerIn]]:
    if isinstance(servers, list):
        for index, named in enumerate(servers):
            yield named.name, ("servers", index), named
    else:
        for name, section in servers.items():
            yield name, ("servers", name), section
