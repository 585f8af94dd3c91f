"""Client ID Metadata Documents: a client whose identifier is the URL of its own description.

(OAuth Client ID Metadata Document, draft-ietf-oauth-client-id-metadata-document; checklist M1–M3.) What the
URL says is fetched through the guarded client, judged as strictly as a registration, and kept as a row like
any other client's, so that grants, the audit and an administrator's "disable" work the same way. An error is
never remembered; a good document is for as long as its server says, within bounds.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace
from starlette.requests import Request

from gatekit.errors import ClientDocumentRefused, InvalidClient, OAuthError, OutboundRefused, PageProblem
from gatekit.model.audit import ClientEvent
from gatekit.model.oauth import Client
from gatekit.oauth.client_metadata import (
    MAX_NAME,
    PublishedKeys,
    clean_text,
    extras,
    grant_types,
    published_keys,
    texts,
)
from gatekit.oauth.core import Core
from gatekit.oauth.http import address, place, request_id
from gatekit.oauth.redirects import acceptable
from gatekit.platform.fetching import Answer, Fetch
from gatekit.platform.limits import KeyedBuckets, Rate, TokenBucket
from gatekit.platform.strict_json import read_object

UNKNOWN = "the client is unknown or its authentication failed; register again"
"""What a program hears, whatever was wrong with its client."""

MAX_BYTES = 5 * 1024
TIMEOUT = 5.0
"""Seconds for resolving, dialling and the whole body."""
SHORTEST, LONGEST, USUAL = 300, 86_400, 3600
"""Seconds that a document is believed: at least, at most, and where its server says nothing."""
_KEPT = 500
_FETCHES = Rate(30, 60)
_MAX_URL = 500
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?=$|[,\s])", re.IGNORECASE)


class Documents:
    """Knows the clients whose identifiers are URLs."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._fresh: dict[str, int] = {}
        """URL → until when its row is believed, in seconds since the epoch."""
        self._under_way: dict[str, asyncio.Future[None]] = {}
        settings, clock = core.settings, core.services.clock
        self._budget = KeyedBuckets(_FETCHES, clock)
        self._everybody = TokenBucket(settings.registration_global, clock)
        self._day = TokenBucket(settings.registration_daily, clock)

    async def for_page(self, request: Request, client_id: str | None) -> None:
        """``bring`` for somebody with a browser: the page names the cause. Raises ``PageProblem``."""
        try:
            await self.bring(request, client_id)
        except ClientDocumentRefused as cause:
            raise PageProblem(
                400,
                "This application cannot be identified",
                f"Its description at {urlsplit(client_id or '').netloc[:100]} cannot be used: {cause}.",
                "Try again later, or ask whoever runs this gateway whether it may reach that address.",
            ) from cause

    async def for_client(self, request: Request, client_id: str | None) -> None:
        """``bring`` for a program, which hears no more than that it is unknown (checklist M3)."""
        try:
            await self.bring(request, client_id)
        except ClientDocumentRefused as cause:
            raise InvalidClient(UNKNOWN, f"client document: {cause}") from cause

    async def bring(self, request: Request, client_id: str | None) -> None:
        """Bring the row of a client up to date, if ``client_id`` is a URL and documents are in use.

        Raises ``ClientDocumentRefused`` if its document cannot be used now.
        """
        fetch = self._core.services.fetch
        if fetch is None or client_id is None or not client_id.startswith("https://"):
            return
        known = await self._core.store.clients.get(client_id)
        if known is not None and known.source == "configured":
            return  # the operator's word wins over the client's own (checklist M3)
        if self._fresh.get(client_id, 0) > self._core.now():
            if known is not None:
                return
            del self._fresh[client_id]  # the row was never used and is gone; its document is still there
        # Before anything is fetched or recorded: both could be made to happen without end. Each fetch can
        # become a row, so a stranger may not cause more of them than registrations.
        if client_id not in self._under_way and self._spent(request):
            raise ClientDocumentRefused("too many descriptions were asked for; try again later")
        try:
            check_url(client_id, self._core.settings.document_domains)
            await self._once(request, client_id, fetch)
        except (ClientDocumentRefused, OutboundRefused) as cause:
            reason = str(cause)[:300]
            await self._record(request, client_id, "", "refused", reason, ())
            raise ClientDocumentRefused(reason) from cause

    def _spent(self, request: Request) -> bool:
        return bool(self._budget.take(place(request)) or self._everybody.take() or self._day.take())

    async def _once(self, request: Request, url: str, fetch: Fetch) -> None:
        """Fetch, together with everybody who wants the same document at this moment."""
        running = self._under_way.get(url)
        if running is not None:
            await asyncio.shield(running)
            return
        task = asyncio.ensure_future(self._refresh(request, url, fetch))
        self._under_way[url] = task
        try:
            await asyncio.shield(task)
        finally:
            self._under_way.pop(url, None)

    async def _refresh(self, request: Request, url: str, fetch: Fetch) -> None:
        answer = await fetch(
            "GET", url, headers={"accept": "application/json"}, max_bytes=MAX_BYTES, timeout=TIMEOUT
        )
        client = self._client(url, answer)
        clients = self._core.store.clients
        known = await clients.get(url)
        if known is None:
            if await clients.deleted(url):
                raise ClientDocumentRefused("an administrator removed it")
            await self._record(request, url, client.name, "registered", "", client.redirect_uris)
            await clients.add(client)
        else:
            now = replace(client, disabled=known.disabled, created_at=known.created_at)
            if replace(now, last_used_at=known.last_used_at) != known:
                await self._record(request, url, client.name, "changed", "", client.redirect_uris)
                await clients.describe(now)
        self._believe(url, answer)

    def _client(self, url: str, answer: Answer) -> Client:
        try:
            document = read(url, answer)
            signs = document.get("token_endpoint_auth_method") == "private_key_jwt"
            keys = published_keys(document) if signs else PublishedKeys()
            return Client(
                id=url,
                name=clean_text(texts(document, "client_name"), MAX_NAME),
                redirect_uris=acceptable(_uris(document), self._core.settings.private_use_schemes),
                auth_method="private_key_jwt" if signs else "none",
                jwks=keys.jwks,
                jwks_uri=keys.jwks_uri,
                signing_algorithm=keys.algorithm,
                grant_types=grant_types(document),
                scope=clean_text(texts(document, "scope"), 2048),
                application_type="native" if document.get("application_type") == "native" else "web",
                client_uri=extras(document).get("client_uri", ""),
                metadata=json.dumps(extras(document), sort_keys=True, separators=(",", ":")),
                source="document",
                created_at=self._core.now(),
            )
        except OAuthError as bad:
            raise ClientDocumentRefused(bad.description) from bad

    def _believe(self, url: str, answer: Answer) -> None:
        said = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        seconds = min(max(int(said[1]), SHORTEST), LONGEST) if said else USUAL
        self._fresh.pop(url, None)
        self._fresh[url] = self._core.now() + seconds
        while len(self._fresh) > _KEPT:
            del self._fresh[next(iter(self._fresh))]

    async def _record(
        self, request: Request, url: str, name: str, action: Any, reason: str, uris: tuple[str, ...]
    ) -> None:
        await self._core.services.audit.write(
            ClientEvent(
                at=self._core.at(),
                request_id=request_id(request),
                client_id=url[:_MAX_URL],
                client=name,
                address=address(request),
                action=action,
                redirect_uris=uris,
                reason=reason,
            )
        )


def check_url(url: str, domains: Sequence[str]) -> None:
    """Raises ``ClientDocumentRefused`` unless ``url`` may name a client, here (draft §3; checklist M1)."""
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ClientDocumentRefused("its address has characters that do not belong there, or is too long")
    parts = urlsplit(url)
    if "#" in url or "?" in url or "@" in parts.netloc or parts.netloc.endswith(":"):
        raise ClientDocumentRefused("its address must be plain: no query, fragment or user name")
    segments = unquote(parts.path).split("/")
    if len(segments) < 2 or not segments[-1] or "." in segments or ".." in segments or "\\" in url:
        raise ClientDocumentRefused("its address must have a path, without dot segments")
    host = parts.hostname or ""
    if domains and not any(_within(host, domain) for domain in domains):
        raise ClientDocumentRefused("its domain is not in this gateway's list")


def _within(host: str, domain: str) -> bool:
    """``example.com`` stands for itself, ``*.example.com`` for every name below it."""
    if domain.startswith("*."):
        return host.endswith(domain[1:])
    return host == domain


def read(url: str, answer: Answer) -> Mapping[str, Any]:
    """The document. Raises ``ClientDocumentRefused``."""
    if answer.status != 200:
        raise ClientDocumentRefused(f"the answer has status {answer.status}")
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise ClientDocumentRefused("the answer is not JSON")
    try:
        document = read_object(answer.body)
    except ValueError as bad:
        raise ClientDocumentRefused("the answer is not a well-formed JSON object") from bad
    if document.get("client_id") != url:
        raise ClientDocumentRefused("it describes another client_id")
    if not isinstance(document.get("client_name"), str) or not document["client_name"].strip():
        raise ClientDocumentRefused("it has no client_name")
    if any(name.startswith("client_secret") for name in document):
        raise ClientDocumentRefused("it holds a secret, which everybody can read")
    # RFC 7591's default means a shared secret, and there can be none: left out means none here.
    if document.get("token_endpoint_auth_method", "none") not in ("none", "private_key_jwt"):
        raise ClientDocumentRefused(
            "its token_endpoint_auth_method is not offered; use none or private_key_jwt"
        )
    if _private_key(document.get("jwks")):
        raise ClientDocumentRefused("it holds a private key")
    return document


def _private_key(jwks: object) -> bool:
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    return isinstance(keys, list) and any(isinstance(key, dict) and ({"d", "k"} & key.keys()) for key in keys)


def _uris(document: Mapping[str, Any]) -> list[str]:
    value = document.get("redirect_uris")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ClientDocumentRefused("its redirect_uris are not a list of texts")
    return value
