"""One view of every page: what the page tests render and ``scripts/screenshots`` takes pictures of."""

from __future__ import annotations

import sys
from pathlib import Path

from gatekit.oauth.pages import (
    ConsentView,
    DeviceConsentView,
    DeviceView,
    DoneView,
    HomeView,
    InviteView,
    OnwardView,
    ProviderButton,
    ServerChoice,
    SignInView,
    SignOutView,
)
from gatekit.web.assets import ICON, STATIC, STYLESHEET
from gatekit.web.console.views import Choice, Frame, Link, Question, Row, Section, Sheet
from gatekit.web.pages import HtmlPages
from gatekit.web.views import AccountView, AppRow, BrowserRow, KeyRow, PasskeyRow, PasskeysView
from tests.unit.web.gallery_approvals import pages_of_approvals
from tests.unit.web.gallery_factors import PASSKEY, pages_of_factors
from tests.unit.web.gallery_policy import pages_of_policy
from tests.unit.web.gallery_programs import pages_of_programs

ORIGIN = "https://mcp.example.com"

SERVERS = (
    ("All servers", f"{ORIGIN}/mcp"),
    ("Everything", f"{ORIGIN}/s/everything/mcp"),
    ("Shared files", f"{ORIGIN}/s/files/mcp"),
    ("Time", f"{ORIGIN}/s/time/mcp"),
)

GITHUB = ProviderButton("GitHub", "/go/github?txn=gk_tx_sample")


def sign_in(**changes: object) -> SignInView:
    values: dict[str, object] = {
        "action": "/login",
        "csrf": "csrf-value",
        "txn": "gk_tx_sample",
        "connection": "local",
        "client_name": "Claude Code (gatekit)",
        "providers": (GITHUB,),
    }
    return SignInView(**{**values, **changes})  # type: ignore[arg-type]


def consent(**changes: object) -> ConsentView:
    values: dict[str, object] = {
        "action": "/consent",
        "csrf": "csrf-value",
        "txn": "gk_tx_sample",
        "username": "alice",
        "client_name": "Claude Code (gatekit)",
        "client_id": "client_01KB3Q5T8N6V2W4X7Y9Z0ABCDE",
        "client_uri_host": "",
        "redirect_host": "localhost:51763",
        "loopback": True,
        "resources": (ServerChoice(resource=f"{ORIGIN}/s/files/mcp", name="files", title="Shared files"),),
        "choosing": False,
        "scopes": ("mcp:read", "mcp:call"),
        "switch_url": "/switch?txn=gk_tx_sample",
    }
    return ConsentView(**{**values, **changes})  # type: ignore[arg-type]


def choosing(**changes: object) -> ConsentView:
    offered = tuple(ServerChoice(resource=url, name=title, title=title) for title, url in SERVERS)
    web: dict[str, object] = {
        "client_name": "Acme Assistant",
        "client_uri_host": "assistant.example.net",
        "redirect_host": "assistant.example.net",
        "loopback": False,
        "resources": offered,
        "choosing": True,
    }
    return consent(**{**web, **changes})


def relying_party(**changes: object) -> ConsentView:
    alone: dict[str, object] = {
        "client_name": "Wiki",
        "client_id": "wiki",
        "redirect_host": "wiki.example.com",
        "loopback": False,
        "resources": (),
        "scopes": ("openid", "profile", "groups"),
        "may_call": False,
        "learns": ("that it is you", "your name", "your groups"),
    }
    return consent(**{**alone, **changes})


def onward(**changes: object) -> OnwardView:
    values: dict[str, object] = {
        "action": "https://idp.example.com/sso",
        "fields": (("SAMLRequest", "PHg+"), ("RelayState", "gk_ss_value")),
        "title": "Example Corp",
    }
    return OnwardView(**{**values, **changes})  # type: ignore[arg-type]


def sign_out(**changes: object) -> SignOutView:
    values: dict[str, object] = {
        "action": "/end_session/confirm",
        "csrf": "csrf-value",
        "username": "alice",
        "client_name": "Wiki",
        "client_id": "wiki",
        "uri": "https://wiki.example.com/bye",
        "state": "state-value",
    }
    return SignOutView(**{**values, **changes})  # type: ignore[arg-type]


def invite(**changes: object) -> InviteView:
    values: dict[str, object] = {"action": "/invite/gk_inv_sample", "csrf": "csrf-value", "username": "alice"}
    return InviteView(**{**values, **changes})  # type: ignore[arg-type]


def home(**changes: object) -> HomeView:
    values: dict[str, object] = {
        "username": "alice",
        "servers": SERVERS,
        "logout_action": "/logout",
        "csrf": "csrf-value",
    }
    return HomeView(**{**values, **changes})  # type: ignore[arg-type]


def device(**changes: object) -> DeviceView:
    values: dict[str, object] = {
        "action": "/device",
        "csrf": "csrf-value",
        "username": "alice",
        "user_code": "WDJB-MJHT",
    }
    return DeviceView(**{**values, **changes})  # type: ignore[arg-type]


def device_consent(**changes: object) -> DeviceConsentView:
    values: dict[str, object] = {
        "action": "/device/decide",
        "csrf": "csrf-value",
        "username": "alice",
        "user_code": "WDJB-MJHT",
        "client_name": "Gatekit bridge on build-7",
        "client_id": "client_01KB3Q5T8N6V2W4X7Y9Z0ABCDE",
        "address": "198.51.100.7",
        "resources": (ServerChoice(resource=f"{ORIGIN}/s/files/mcp", name="files", title="Shared files"),),
        "choosing": False,
        "scopes": ("mcp:read", "mcp:call"),
    }
    return DeviceConsentView(**{**values, **changes})  # type: ignore[arg-type]


def passkeys(**changes: object) -> PasskeysView:
    values: dict[str, object] = {
        "username": "alice",
        "csrf": "csrf-value",
        "logout_csrf": "csrf-value",
        "passkeys": (
            PasskeyRow(id="cred-1", name="my phone", since="2026-11-01", used="2026-11-23"),
            PasskeyRow(id="cred-2", name="key on the ring", since="2026-11-20", used=""),
        ),
        "possible": True,
        "recent": True,
        "nonce": "gk_pk_sample",
        "options": '{"challenge": "c2FtcGxl"}',
    }
    return PasskeysView(**{**values, **changes})  # type: ignore[arg-type]


def account(**changes: object) -> AccountView:
    values: dict[str, object] = {
        "username": "alice",
        "csrf": "csrf-value",
        "logout_csrf": "csrf-value",
        "apps": (
            AppRow(
                client="client_01KB3Q5T8N6V2W4X7Y9Z0ABCDE",
                name="Claude Code (gatekit)",
                resources=(f"{ORIGIN}/mcp", f"{ORIGIN}/s/files/mcp"),
                may=("read and call tools",),
                since="2026-11-01",
                used="2026-11-23",
                until="2027-01-30",
            ),
            AppRow(
                client="https://assistant.example.net/client.json",
                name="Acme Assistant",
                host="assistant.example.net",
                resources=(f"{ORIGIN}/s/time/mcp",),
                may=("only read",),
                since="2026-11-20",
                used="2026-11-20",
                until="2027-02-18",
            ),
        ),
        "keys": (
            KeyRow(
                id="key_1",
                name="Nightly build",
                hint="x9Qz",
                servers=("files", "time"),
                until="2027-02-01",
                used="2026-11-22",
            ),
        ),
        "browsers": (
            BrowserRow(
                id="b1",
                name="Firefox on Linux",
                address="198.51.100.7",
                since="2026-11-23 08:12 UTC",
                until="2026-11-23 20:12 UTC",
                here=True,
            ),
            BrowserRow(
                id="b2",
                name="Safari on iPhone",
                address="2001:db8::17",
                since="2026-11-23 07:40 UTC",
                until="2026-11-23 19:40 UTC",
                here=False,
            ),
        ),
        "servers": ("everything", "files", "time"),
        "lifetimes": (7, 30, 90, 365),
    }
    return AccountView(**{**values, **changes})  # type: ignore[arg-type]


FRAME = Frame(username="olga", role="owner", logout_csrf="csrf-value", here="/admin/people")


def _row(name: str, full: str, seen: str, *badges: str) -> Row:
    facts = (("Name", full), ("Comes in by", "okta"), ("Last seen", seen))
    return Row(title=name, href=f"/admin/person?name={name}", badges=badges, facts=facts)


def people_sheet(**changes: object) -> Sheet:
    values: dict[str, object] = {
        "frame": FRAME,
        "title": "People",
        "lead": "1204 people.",
        "links": (Link("Add a person", "/admin/people/new"),),
        "search": (
            Choice(name="q", label="Search", hint="Part of a name or an address."),
            Choice(name="role", label="Role", options=(("", "Any"), ("owner", "Owner"))),
            Choice(name="state", label="State", options=(("", "Any"), ("disabled", "Disabled"))),
        ),
        "sections": (
            Section(
                title="Everybody",
                rows=(
                    _row("ada", "Ada Lovelace", "2026-11-23", "admin"),
                    _row("bob", "Bob Stone", "2026-11-20"),
                    _row("carol", "Carol de Vries", "never", "disabled"),
                ),
                more=Link("Next page", "/admin/people?after=carol"),
            ),
        ),
    }
    return Sheet(**{**values, **changes})  # type: ignore[arg-type]


def person_sheet() -> Sheet:
    words = ("Make an invitation link", "Disable", "Sign out everywhere", "Change the role", "Delete")
    return people_sheet(
        title="ada",
        lead="Ada Lovelace",
        badges=("admin",),
        notice="The invitation is ready.",
        secret=f"{ORIGIN}/invite/gk_inv_" + "x1Y2" * 8,
        secret_label="The link, shown this once",
        warnings=("The admin key “nightly” of ada ends on 2026-12-01.",),
        facts=(("Role", "admin"), ("State", "enabled"), ("Address", "ada@example.com (verified)")),
        links=tuple(Link(each, "/admin/person/disable?name=ada") for each in words),
        search=(),
        sections=(Section(title="Groups", empty="In no group."),),
    )


def group_sheet() -> Sheet:
    def member(name: str, *badges: str) -> Row:
        asked = (Link("Remove", f"/admin/do/group-remove?name=sre&who={name}"),)
        return Row(title=name, href=f"/admin/person?name={name}", badges=badges, links=asked)

    words = ("Add people", "Put a group into it", "Change the rule", "Change the title", "Delete")
    return people_sheet(
        frame=Frame(username="olga", role="owner", logout_csrf="csrf-value", here="/admin/groups"),
        title="Site reliability",
        lead="",
        warnings=("Whoever is in it has the role auditor: the file says so.",),
        facts=(("Name", "sre"), ("Said by", "ourselves"), ("Direct members", "3")),
        links=tuple(Link(each, "/admin/do/group-add?name=sre") for each in words),
        search=(Choice(name="q", label="Search its members"),),
        search_action="/admin/group",
        kept=(("name", "sre"), ("source", "local")),
        sections=(
            Section(title="Members", rows=(member("ada"), member("bob"), member("carol", "disabled"))),
            Section(title="Groups within", lead="Their members count too.", rows=(Row(title="on-call"),)),
            Section(title="Rule", rows=(Row(title="group:okta/SRE"),)),
        ),
    )


def joining() -> Question:
    return Question(
        frame=Frame(username="olga", role="owner", logout_csrf="csrf-value", here="/admin/groups"),
        title="Add people: sre",
        csrf="csrf-value",
        seen="seen-value",
        action="/admin/do/group-add?name=sre&q=b",
        changes=("They may use at once what lists allow to the group.",),
        search=(Choice(name="q", label="Search", hint="Part of a name or an address.", value="b"),),
        search_action="/admin/do/group-add",
        kept=(("name", "sre"),),
        fields=(
            Choice(
                name="who",
                label="Who is not in it yet",
                options=(("bea", "bea · Bea Stone"), ("bob", "bob · Bob Stone")),
                many=True,
                chosen=("bob",),
            ),
            Choice(name="names", label="Others", hint="Usernames, with blanks or commas between them."),
        ),
        button="Add people",
        back="/admin/group?name=sre",
    )


def ruling() -> Question:
    return Question(
        frame=Frame(username="olga", role="owner", logout_csrf="csrf-value", here="/admin/groups"),
        title="Change the rule: sre",
        csrf="csrf-value",
        seen="seen-value",
        action="/admin/do/group-rule?name=sre",
        changes=("Without an entry only its members are.",),
        fields=(Choice(name="selectors", label="One entry a line", value="okta:ada\n*", lines=10),),
        button="Change the rule",
        back="/admin/group?name=sre",
        error="Nothing was changed.",
        faults=("'*' names nobody in particular",),
    )


def connection_sheet() -> Sheet:
    words = ("Its people", "Try it with claims", "Disable", "Enter anew", "Remove")
    return people_sheet(
        frame=Frame(username="olga", role="owner", logout_csrf="csrf-value", here="/admin/connections"),
        title="Okta",
        lead="",
        facts=(
            ("Name", "okta"),
            ("Stands in", "the store"),
            ("People", "1204 at home here"),
            ("Redirect URI", f"{ORIGIN}/callback/okta"),
        ),
        links=tuple(Link(each, "/admin/do/connection-disable?name=okta") for each in words),
        search=(),
        sections=(
            Section(
                title="Settings",
                lead="Secrets are not shown.",
                rows=(
                    Row(
                        title="okta",
                        facts=(
                            ("type", "okta"),
                            ("issuer", "https://acme.okta.com"),
                            ("client_secret", "***"),
                            ("groups.map.Engineering", "dev"),
                        ),
                    ),
                ),
            ),
        ),
    )


def connecting() -> Question:
    return Question(
        frame=Frame(username="olga", role="owner", logout_csrf="csrf-value", here="/admin/connections"),
        title="Add a connection",
        csrf="csrf-value",
        seen="seen-value",
        action="/admin/do/connection-add",
        changes=("People can sign in over it at once. Whoever runs the provider says who they are.",),
        fields=(
            Choice(
                name="name", label="Name", hint="Small letters, digits, - and _ ; it stays.", value="okta"
            ),
            Choice(name="entry", label="Entry", hint="YAML or JSON.", value="type: okta\nisuer: x", lines=14),
        ),
        button="Add the connection",
        back="/admin/connections",
        error="Nothing was changed.",
        faults=("okta.isuer: unknown key (did you mean 'issuer'?)", "okta.client_id: is required"),
    )


def deletion() -> Question:
    return Question(
        frame=FRAME,
        title="Delete: bob",
        csrf="csrf-value",
        action="/admin/person/delete?name=bob",
        changes=(
            "Sessions, connected applications, keys and memberships are removed.",
            "This cannot be taken back. To keep somebody out for a while, disable them instead.",
        ),
        fields=(
            Choice(
                name="audit",
                label="Their records",
                value="keep",
                options=(("keep", "Keep the name in the audit"), ("pseudonymise", "Show a pseudonym")),
            ),
        ),
        button="Delete",
        back="/admin/person?name=bob",
    )


def every_page() -> dict[str, str]:
    """Name → document."""
    pages = HtmlPages()
    return {
        "sign-in": pages.sign_in(sign_in()),
        "sign-in-refused": pages.sign_in(
            sign_in(
                username="alice",
                error="That username and password do not fit together. After several wrong attempts, wait a "
                "few minutes before the next one.",
            )
        ),
        "consent": pages.consent(consent()),
        "consent-choosing": pages.consent(choosing()),
        "consent-relying-party": pages.consent(relying_party()),
        "sign-out": pages.sign_out(sign_out()),
        "onward": pages.onward(onward()),
        "device": pages.device(device()),
        "device-unknown": pages.device(device(error="No device waits with this code.")),
        "device-consent": pages.device_consent(device_consent()),
        "device-done": pages.done(DoneView(title="Connected", message="Go back to your device.")),
        "account": pages.account(account()),
        "sign-in-passkey": pages.sign_in(sign_in(passkey=PASSKEY)),
        "passkeys": pages.passkeys(passkeys()),
        "passkeys-none": pages.passkeys(passkeys(passkeys=(), possible=False)),
        "passkeys-refused": pages.passkeys(passkeys(recent=False, error="The passkey could not be made.")),
        **pages_of_factors(pages),
        **pages_of_programs(pages),
        **pages_of_policy(pages),
        **pages_of_approvals(pages),
        "account-new-key": pages.account(account(token="gk_key_" + "x1Y2" * 10)),
        "account-empty": pages.account(account(apps=(), keys=(), recent=False)),
        "account-refused": pages.account(
            account(error="choose at least one server that the key opens, or all of them", key_name="Build")
        ),
        "admin-people": pages.console(people_sheet()),
        "admin-person": pages.console(person_sheet()),
        "admin-delete": pages.console(deletion()),
        "admin-connection": pages.console(connection_sheet()),
        "admin-connection-add": pages.console(connecting()),
        "admin-group": pages.console(group_sheet()),
        "admin-group-add": pages.console(joining()),
        "admin-group-rule": pages.console(ruling()),
        "invite": pages.invite(invite()),
        "home": pages.home(home()),
        "home-stranger": pages.home(HomeView(username="", servers=(), sign_in_url="/login")),
        "home-empty": pages.home(home(servers=())),
        "problem": pages.problem(
            title="This application is not known here",
            message="It sent a client identifier that this gateway has never issued, or has since removed.",
            remedy="Remove the saved sign-in for this server in your application and connect again.",
            reference="req_01KB3Q5T8N6V2W4X7Y9Z0ABCDE",
        ),
    }


def main(folder: Path) -> None:
    """Write every page with its stylesheet, so that a browser can open them without a server."""
    folder.mkdir(parents=True, exist_ok=True)
    for asset in (STYLESHEET, ICON):
        name = Path(asset.path).name
        (folder / name).write_bytes((STATIC / name).read_bytes())
    for name, document in every_page().items():
        local = document.replace(STYLESHEET.url, "gatekit.css").replace(ICON.path, "icon.svg")
        (folder / f"{name}.html").write_text(local, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
