"""What a reverse proxy asks us about: a web application in front of which it stands."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct


class Target(Struct, frozen=True, kw_only=True):
    """One application. Its ``url`` is also its resource identifier (RFC 8707): tokens are issued for it."""

    name: str
    """Unique among servers, virtual servers and targets: access lists and API keys speak of all of them."""
    url: str
    """Normalised: scheme, host and perhaps port in lower case; perhaps a path, without a slash at its end."""
    title: str
    sign_in: bool = True
    """Whether browsers are sent to the sign-in page; if not, only bearer tokens and API keys count."""

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        """Empty: all of the origin."""
        return urlsplit(self.url).path

    @property
    def secure(self) -> bool:
        return self.url.startswith("https://")
