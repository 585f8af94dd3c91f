"""The HTML that the authorization server shows. ``web`` implements it; every text is escaped there."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class ProviderButton(Struct, frozen=True):
    title: str
    url: str


class PasskeyForm(Struct, frozen=True, kw_only=True):
    """Needs the script; fields ``txn``, ``nonce``, ``credential``."""

    action: str
    nonce: str
    options: str
    """JSON for the browser (WebAuthn §5.5)."""


class SignInView(Struct, frozen=True, kw_only=True):
    action: str
    """URL the form is POSTed to; fields ``username``, ``password``, ``connection``, ``csrf``, ``txn``."""
    csrf: str
    txn: str
    client_name: str = ""
    password_form: bool = True
    connection: str = ""
    """Whose password the form asks for; sent back as ``connection``."""
    connection_title: str = ""
    """Empty: accounts of the gateway itself."""
    home: str = ""
    """URL that finds the connection of an address: fields ``email``, ``csrf``, ``txn``; empty: none."""
    providers: tuple[ProviderButton, ...] = ()
    passkey: PasskeyForm | None = None
    error: str = ""
    username: str = ""


class SecondStepView(Struct, frozen=True, kw_only=True):
    action: str
    """Fields ``csrf``, ``txn``, ``code``."""
    csrf: str
    txn: str
    username: str
    asks_code: bool
    """If not, a passkey is the only way on."""
    passkey: PasskeyForm | None = None
    error: str = ""


class SetupView(Struct, frozen=True, kw_only=True):
    action: str
    """Fields ``csrf``, ``txn``, ``setup``, ``code``."""
    csrf: str
    txn: str = ""
    setup: str
    secret: str
    address: str
    """``otpauth://…``, shown as a QR code."""
    username: str
    must: bool
    """The operator asks for it; otherwise the person chose to."""
    error: str = ""


class RecoveryCodesView(Struct, frozen=True, kw_only=True):
    """Shown once."""

    codes: tuple[str, ...]
    onward: str
    """Where to go from here."""


class ServerChoice(Struct, frozen=True, kw_only=True):
    resource: str
    name: str
    title: str
    checked: bool = True


class ConsentView(Struct, frozen=True, kw_only=True):
    action: str
    """URL the form is POSTed to; fields ``csrf``, ``txn``, ``resource`` (repeated, when choosing),
    ``read_only`` (where ``may_call``), and ``decision`` = ``approve`` or ``deny``."""
    csrf: str
    txn: str
    username: str
    client_name: str
    client_id: str
    client_uri_host: str = ""
    """Says the client; nobody has verified it."""
    document_host: str = ""
    """Where the client's own metadata document was fetched from: this host vouches for it."""
    redirect_host: str
    loopback: bool
    """The redirect goes to this machine only: the page warns that any local program could be behind it."""
    resources: tuple[ServerChoice, ...]
    choosing: bool
    """The client named no resource, so the person picks."""
    scopes: tuple[str, ...] = ()
    may_call: bool = True
    """It asks for more than reading; the person may let it read only."""
    learns: tuple[str, ...] = ()
    """What a relying party learns about the person (OpenID Connect)."""
    elsewhere: bool = False
    """It is about a resource server that is not part of this gateway; ``scopes`` are that one's."""
    switch_url: str = ""
    """Sign in as somebody else."""


class DeviceView(Struct, frozen=True, kw_only=True):
    """Where a person brings the code that a device shows (RFC 8628 §3.3)."""

    action: str
    """Fields ``csrf``, ``user_code``."""
    csrf: str
    username: str
    user_code: str = ""
    error: str = ""


class DeviceConsentView(Struct, frozen=True, kw_only=True):
    action: str
    """Fields ``csrf``, ``user_code``, ``resource`` (repeated, when choosing), ``read_only`` (where
    ``may_call``), ``decision``."""
    csrf: str
    username: str
    user_code: str
    client_name: str
    client_id: str
    address: str
    """Network address that the device asked from."""
    resources: tuple[ServerChoice, ...]
    choosing: bool
    scopes: tuple[str, ...] = ()
    may_call: bool = True
    elsewhere: bool = False


class DoneView(Struct, frozen=True, kw_only=True):
    """The end of something that goes on elsewhere."""

    title: str
    message: str


class OnwardView(Struct, frozen=True, kw_only=True):
    """A form of ours that the person sends to their provider."""

    action: str
    """Of the provider."""
    fields: tuple[tuple[str, str], ...]
    title: str


class SignOutView(Struct, frozen=True, kw_only=True):
    action: str
    """Fields ``csrf``, ``client_id``, ``post_logout_redirect_uri``, ``state``, and ``decision``, which is
    ``sign_out`` or ``stay``."""
    csrf: str
    username: str
    client_name: str = ""
    """Who asks for it; empty: nobody says."""
    client_id: str = ""
    uri: str = ""
    state: str = ""


class InviteView(Struct, frozen=True, kw_only=True):
    action: str
    """Fields ``csrf``, ``password``, ``password_again``."""
    csrf: str
    username: str
    error: str = ""


class HomeView(Struct, frozen=True, kw_only=True):
    username: str
    """Empty: nobody is signed in."""
    servers: tuple[tuple[str, str], ...]
    """(title, URL to paste into a client) of what this person may use; aggregate first."""
    logout_action: str = ""
    csrf: str = ""
    sign_in_url: str = ""
    administrates: bool = False
    """Whether the pages of administrators open for this person."""


class Pages(Protocol):
    """Each method returns a whole HTML document."""

    def sign_in(self, view: SignInView) -> str: ...

    def second_step(self, view: SecondStepView) -> str: ...

    def setup(self, view: SetupView) -> str: ...

    def recovery_codes(self, view: RecoveryCodesView) -> str: ...

    def consent(self, view: ConsentView) -> str: ...

    def device(self, view: DeviceView) -> str: ...

    def device_consent(self, view: DeviceConsentView) -> str: ...

    def done(self, view: DoneView) -> str: ...

    def sign_out(self, view: SignOutView) -> str: ...

    def onward(self, view: OnwardView) -> str: ...

    def invite(self, view: InviteView) -> str: ...

    def home(self, view: HomeView) -> str: ...

    def problem(self, *, title: str, message: str, remedy: str = "", reference: str = "") -> str: ...
