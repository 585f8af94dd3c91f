"""What an operator may write. Names, types and bounds only; what it means is decided in ``resolve``.

``docs/configuration.md`` describes every field here, and a test holds it to that.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag

from gatekit.config import document as doc
from gatekit.config.units import seconds, size


def _command(value: object) -> str | list[str]:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return value
    raise ValueError("expected text, or a list of words (numbers in quotes)")


Text = Annotated[str, Field(min_length=1)]
Duration = Annotated[float, BeforeValidator(seconds)]
Size = Annotated[int, BeforeValidator(size)]
Names = list[Text]
"""An access list: see the grammar of selectors in ``gatekit.model.rules``."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TokensIn(Section):
    access_ttl: Annotated[Duration, Field(ge=60, le=86400)] = 3600
    refresh_ttl: Annotated[Duration, Field(ge=300, le=366 * 86400)] = 30 * 86400
    refresh_grace: Annotated[Duration, Field(ge=0, le=300)] = 45
    # RFC 6749 §4.1.2: a maximum of ten minutes is recommended.
    code_ttl: Annotated[Duration, Field(ge=5, le=600)] = 60


class RegistrationIn(Section):
    enabled: bool = True
    private_use_schemes: Names = ["cursor"]
    per_minute: Annotated[int, Field(ge=1, le=100_000)] = 60
    per_minute_per_address: Annotated[int, Field(ge=1, le=100_000)] = 20


class GitHubKeys(Section):
    """Keys of one provider; written inline under ``proxy.auth`` or in its entry under ``providers``."""

    client_id: Text | None = None
    client_secret: Text | None = None
    base_url: Text | None = None
    api_url: Text | None = None
    allowed_orgs: Names | None = None


class ProviderIn(GitHubKeys):
    type: Literal["local", "github"] | None = None
    title: Text | None = None


class AuthIn(GitHubKeys):
    enabled: bool = True
    provider: Text | None = None
    providers: dict[str, ProviderIn] | None = None
    allowed_users: Names | None = None
    allowed_groups: Names | None = None
    users: Names | None = None
    tokens: TokensIn = TokensIn()
    registration: RegistrationIn = RegistrationIn()


class ProxyIn(Section):
    transport: Literal["http"] = "http"
    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    public_url: Text | None = None
    allowed_origins: Names = []
    trusted_proxies: Names = []
    auth: AuthIn = AuthIn()


class AuditIn(Section):
    durability: Literal["process", "disk"] = "process"


class LimitsIn(Section):
    max_body: Annotated[Size, Field(ge=1024, le=1024**3)] = 17 * 1024**2
    max_depth: Annotated[int, Field(ge=8, le=512)] = 64


class ServerIn(Section):
    command: Annotated[str | list[str], PlainValidator(_command)]
    args: list[str] = []
    env: dict[str, str] = {}
    cwd: Text | None = None
    title: str = ""
    instances: Literal["session", "user", "shared"] = "session"
    idle_timeout: Annotated[Duration, Field(ge=0.1, le=30 * 86400)] = 300
    max_instances: Annotated[int, Field(ge=1, le=100_000)] = 50
    max_instances_per_user: Annotated[int, Field(ge=1, le=100_000)] = 10
    max_line: Annotated[Size, Field(ge=1024, le=1024**3)] = 16 * 1024**2 + 65536
    start_timeout: Annotated[Duration, Field(ge=0.1, le=3600)] = 30
    call_timeout: Annotated[Duration, Field(ge=0.1, le=86400)] = 300
    probe_timeout: Annotated[Duration, Field(ge=0.05, le=60)] = 3
    allow_dangerous: bool = False
    allowed_users: Names | None = None
    allowed_groups: Names | None = None
    users: Names | None = None
    tools: dict[str, Names] = {}
    prompts: dict[str, Names] = {}
    resources: dict[str, Names] = {}


class NamedServerIn(ServerIn):
    """The list form: the name is a key of the entry."""

    name: Text


def _form(value: object) -> str | None:
    return "map" if isinstance(value, dict) else "list" if isinstance(value, list) else None


Servers = Annotated[
    Annotated[dict[str, ServerIn], Tag("map")] | Annotated[list[NamedServerIn], Tag("list")],
    Discriminator(_form),
]


class FileIn(Section):
    """The whole file."""

    data_dir: Text = "gatekit-data"
    proxy: ProxyIn = ProxyIn()
    groups: dict[str, Names] = {}
    servers: Servers = {}
    audit: AuditIn = AuditIn()
    limits: LimitsIn = LimitsIn()


PLACES: dict[str, type[Section]] = {
    "": FileIn,
    "proxy": ProxyIn,
    "proxy.auth": AuthIn,
    "proxy.auth.providers.*": ProviderIn,
    "proxy.auth.tokens": TokensIn,
    "proxy.auth.registration": RegistrationIn,
    "servers.*": NamedServerIn,
    "audit": AuditIn,
    "limits": LimitsIn,
}
"""Where each section stands in the file; ``*`` is a name that the operator chooses (or a list index)."""


def section_at(path: doc.Path) -> type[Section] | None:
    """The section whose keys are written at ``path``."""
    return next((model for place, model in PLACES.items() if doc.matches(path, place)), None)


def settings() -> dict[str, Any]:
    """Every setting as ``place.key`` with its default (``...`` for a required one), sections left out."""
    found: dict[str, Any] = {}
    for place, model in PLACES.items():
        for name, info in model.model_fields.items():
            path = f"{place}.{name}".removeprefix(".")
            if path not in PLACES:
                found[path] = ... if info.is_required() else info.default
    return found
