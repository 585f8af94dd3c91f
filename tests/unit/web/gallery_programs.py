"""Pages of administrators that are not about people: applications, service accounts, directories, keys."""

from __future__ import annotations

from gatekit.web.console.views import Choice, Frame, Link, Question, Row, Section, Sheet
from gatekit.web.pages import HtmlPages

HOST = "https://mcp.example.com"


def _frame(here: str) -> Frame:
    return Frame(username="olga", role="owner", logout_csrf="csrf-value", here=f"/admin{here}")


def _application(name: str, ident: str, known: str, used: str, *badges: str) -> Row:
    facts = (("Id", ident), ("Known by", known), ("Last used", used))
    return Row(title=name, href="/admin/client?id=x", badges=badges, facts=facts)


def overview() -> Sheet:
    numbers = (("All", "1204"), ("Disabled", "17"), ("Owners", "1"), ("Admins", "4"), ("Auditors", "2"))
    people = tuple(
        Row(title=words, href="/admin/people", facts=(("How many", number),)) for words, number in numbers
    )
    return Sheet(
        frame=_frame(""),
        title="Overview",
        lead="Who there is, and what wants looking after.",
        warnings=(
            "The admin key “nightly export” of ada ends on 2026-12-01.",
            "The connection acme is turned off: nobody comes in by it.",
            "There is one owner only: a second one can help when the first cannot.",
        ),
        sections=(Section(title="People", rows=people),),
    )


def clients() -> Sheet:
    itself = "registered by itself"
    rows = (
        _application("Claude Code (gatekit)", "client_01KB3Q5T8N6V2W4X7Y9Z0ABCDE", itself, "2026-11-23"),
        _application(
            "Acme Assistant",
            "https://assistant.example.net/oauth/clients/desktop/metadata.json",
            "a document that it publishes",
            "2026-11-20",
        ),
        _application("Old Inspector", "client_01KB3Q5T8N6V2W4X7Y9Z0ABCDF", itself, "never", "disabled"),
    )
    return Sheet(
        frame=_frame("/clients"),
        title="Applications",
        lead="OAuth clients. They register by themselves, stand in the file, or publish a document.",
        search=(Choice(name="q", label="Search", hint="Part of a name, an id or a host."),),
        sections=(Section(title="All, those used last first", rows=rows),),
    )


def client() -> Sheet:
    reach = (("Reaches", f"{HOST}/s/files/mcp"), ("Connected", "2026-11-01"), ("Ends", "2027-01-30"))
    revoke = (Link("Disconnect", "/admin/do/grant-revoke?id=x"),)
    return Sheet(
        frame=_frame("/clients"),
        title="Claude Code (gatekit)",
        lead="It chose this name by itself.",
        notice="Enabled. “Disable” takes it back.",
        facts=(
            ("Id", "client_01KB3Q5T8N6V2W4X7Y9Z0ABCDE"),
            ("State", "enabled"),
            ("Answers go to", "http://localhost:51763/callback"),
            ("May do", "authorization_code, refresh_token"),
        ),
        links=(
            Link("Disable", "/admin/do/client-disable?id=x"),
            Link("Delete", "/admin/do/client-delete?id=x"),
        ),
        sections=(
            Section(
                title="Connected people",
                rows=(Row(title="ada", href="/admin/person?name=ada", facts=reach, links=revoke),),
                more=Link("Next page", "/admin/client?id=x&after=y"),
            ),
        ),
    )


def programs() -> Sheet:
    def row(name: str, title: str, groups: str, keys: str) -> Row:
        facts = (
            ("Title", title),
            ("Groups", groups),
            ("API keys that are good", keys),
            ("Last seen", "never"),
        )
        ask = (Link("Make a key", "/admin/do/service-key?name=x"),)
        return Row(title=f"service:{name}", href="/admin/person?name=x", facts=facts, links=ask)

    return Sheet(
        frame=_frame("/service-accounts"),
        title="Service accounts",
        lead="Programs of yours that come with an API key and cannot sign in.",
        links=(Link("Add a service account", "/admin/do/service-create"),),
        sections=(
            Section(
                title="All",
                rows=(row("build", "Build machines", "ci, readers", "2"), row("robot", "none", "none", "0")),
            ),
        ),
    )


def key() -> Question:
    servers = tuple((name, name) for name in ("everything", "files", "time"))
    return Question(
        frame=_frame("/service-accounts"),
        title="Make an API key: service:build",
        csrf="csrf-value",
        action="/admin/do/service-key?name=service:build",
        changes=("Whoever has the key can use the servers that service:build may use. It is shown once.",),
        fields=(
            Choice(name="key", label="Name", hint="Where it will be, like “build machine 7”.", required=True),
            Choice(name="days", label="Good for", value="90", options=(("90", "90 days"),)),
            Choice(name="servers", label="Only these servers", options=servers, many=True),
        ),
        button="Make the key",
        back="/admin/service-accounts",
    )


def provisioning() -> Sheet:
    make = (Link("Make a token", "/admin/do/scim-token-create?connection=okta"),)
    end = (Link("Revoke", "/admin/do/scim-token-revoke?id=x"),)
    facts = (("Made", "2026-11-01"), ("Last used", "2026-11-23"), ("Good until", "2027-11-01"))
    taken = Row(title="okta", href="/admin/connection?name=okta", facts=(("Good tokens", "1"),), links=make)
    return Sheet(
        frame=_frame("/provisioning"),
        title="Provisioning",
        lead="Directories that write their people and groups here (SCIM).",
        facts=(("Base URL for the provider", f"{HOST}/scim/v2"),),
        sections=(
            Section(title="Connections that take a directory", rows=(taken,)),
            Section(title="Good tokens", rows=(Row(title="okta …x9Qz", facts=facts, links=end),)),
        ),
    )


def keys() -> Sheet:
    facts = (("Belongs to", "ada"), ("Good for", "people:read, groups:read"), ("From", "192.0.2.0/24"))
    end = (Link("Revoke", "/admin/do/admin-key-revoke?id=x"),)
    return Sheet(
        frame=_frame("/keys"),
        title="Admin keys",
        lead="What programs of administrators come with, to /api/v1.",
        links=(Link("Make an admin key", "/admin/do/admin-key-create"),),
        sections=(
            Section(
                title="Good now", rows=(Row(title="nightly", badges=("yours",), facts=facts, links=end),)
            ),
        ),
    )


def importing() -> Question:
    forms = (("csv", "CSV with a first line of names"), ("json", "JSON, a list of objects"))
    text = "username,display_name,role,groups\nada,,,dev;sre\nzoe,Zoe Ito,,dev\n"
    return Question(
        frame=_frame("/people"),
        title="Import people",
        csrf="csrf-value",
        seen="seen-value",
        action="/admin/import?of=people",
        changes=(
            "All of it happens, or nothing. Whoever is not in the text stays as they are.",
            "Changed: 2, left as they are: 0.",
            "Line 2: update ada. Now: role=member state=enabled groups=dev. Then: role=member state=enabled "
            "groups=dev,sre",
            "Line 3: create zoe. name=Zoe Ito role=member state=enabled groups=dev",
        ),
        fields=(
            Choice(name="form", label="Written as", value="csv", options=forms),
            Choice(
                name="text", label="Text", hint="Columns: username, …", value=text, lines=14, required=True
            ),
        ),
        button="Do all of this",
        back="/admin/people",
    )


def pages_of_programs(pages: HtmlPages) -> dict[str, str]:
    """Name → document."""
    return {
        "admin-import": pages.console(importing()),
        "admin-overview": pages.console(overview()),
        "admin-clients": pages.console(clients()),
        "admin-client": pages.console(client()),
        "admin-service-accounts": pages.console(programs()),
        "admin-service-key": pages.console(key()),
        "admin-provisioning": pages.console(provisioning()),
        "admin-keys": pages.console(keys()),
    }
