"""Which plugins stand where, as an operator wrote it."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

OnError = Literal["open", "closed"]


class PluginSpec(Struct, frozen=True, kw_only=True):
    """One entry of ``plugins:``."""

    name: str
    """Unique among the entries of one place. An entry of a server replaces a global one of the same name."""
    use: str
    """What to load: a built-in name, an entry point, or a file in ``plugins_dir``."""
    server: str = ""
    """Whose it is; empty: all servers'."""
    enabled: bool = True
    priority: int | None = None
    """None: as the plugin says."""
    on_error: OnError | None = None
    """None: as its kind says."""
    deadline: float | None = None
    """Seconds that one hook has; None: as the plugin says."""
    options: dict[str, Any] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()
    """Options with a value that came from a reference and is never shown."""
    code: str = ""
    """Digest of the plugin's file in ``plugins_dir``: a changed file is a changed entry."""
    place: str = ""
    """File, line and key, for messages."""

    def __repr__(self) -> str:
        """Without options: they may hold secrets."""
        return f"PluginSpec(name={self.name!r}, use={self.use!r}, server={self.server!r})"


class PluginPlan(Struct, frozen=True, kw_only=True):
    """Every entry of the file."""

    entries: tuple[PluginSpec, ...] = ()
    folder: str = ""
    """``plugins_dir``, absolute; empty: none."""

    def of(self, server: str) -> tuple[PluginSpec, ...]:
        """The entries that count for one server: its own, and the global ones that it does not replace."""
        own = [entry for entry in self.entries if entry.server == server]
        names = {entry.name for entry in own} if server else set[str]()
        everybodys = [entry for entry in self.entries if not entry.server and entry.name not in names]
        chosen = [*everybodys, *own] if server else everybodys
        return tuple(entry for entry in chosen if entry.enabled)
