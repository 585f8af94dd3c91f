"""RFC 7644 §3.4: filters, order, pages, searches by POST."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from gatekit.identity.scim.schema import ENTERPRISE_URN
from tests.support.scim import ScimWorld

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


@pytest.fixture
async def peopled(scim: ScimWorld) -> ScimWorld:
    for number, name in enumerate(["ada", "Bob", "cyd", "dan"]):
        await scim.okta.user(
            name,
            externalId=f"e{number}",
            title="Countess" if name == "ada" else None,
            active=name != "dan",
            emails=[
                {"value": f"{name}@home.example", "type": "home"},
                {"value": f"{number}@work.example", "type": "work", "primary": True},
            ],
            **{ENTERPRISE_URN: {"department": "Engines" if number % 2 else "Poetry"}},
        )
    await scim.entra.user("eve", externalId="e0", emails=[{"value": "eve@home.example"}])
    return scim


def users(**query: object) -> str:
    return "/Users?" + "&".join(f"{name}={quote(str(value))}" for name, value in query.items())


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ('userName eq "bob"', ["Bob"]),
        ('userName Eq "BOB"', ["Bob"]),
        ('externalId eq "e2"', ["cyd"]),
        ('externalId eq "E2"', []),
        ('userName eq "eve"', []),
        ('userName eq "ada" and active eq false', []),
        ('userName eq "ada" and active eq true', ["ada"]),
        ('userName eq "ada" or userName eq "dan"', ["ada", "dan"]),
        ('not (userName eq "ada")', ["Bob", "cyd", "dan"]),
        ("title pr", ["ada"]),
        ("active eq false", ["dan"]),
        ('emails[type eq "work" and value sw "2@"]', ["cyd"]),
        ('emails[type eq "work"].value eq "3@work.example"', ["dan"]),
        ('emails co "home.example"', ["ada", "Bob", "cyd", "dan"]),
        (f'{ENTERPRISE_URN}:department eq "engines"', ["Bob", "dan"]),
        ('meta.created gt "2020-01-01T00:00:00Z"', ["ada", "Bob", "cyd", "dan"]),
        ('userName gt "bob"', ["cyd", "dan"]),
        ("groups pr", []),
    ],
)
async def test_filters(peopled: ScimWorld, condition: str, names: list[str]) -> None:
    """§3.4.2.2: operators and attribute names without regard to case, precedence, value paths; and never
    anybody of another connection."""
    answer = (await peopled.okta.get(users(filter=condition))).json()
    assert answer["totalResults"] == len(names)
    assert [each["userName"] for each in answer.get("Resources", [])] == names


@pytest.mark.parametrize("condition", ["userName", 'userName is "x"', 'password eq "x"', "active gt true"])
async def test_wrong_filters(peopled: ScimWorld, condition: str) -> None:
    """§3.4.2.2: "Providers MUST decline to filter results if the specified filter operation is not
    recognized and return an HTTP 400 error with a "scimType" error of "invalidFilter"."""
    answer = await peopled.okta.get(users(filter=condition))
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter")


async def test_by_id(peopled: ScimWorld) -> None:
    ada = (await peopled.okta.get(users(filter='userName eq "ada"'))).json()["Resources"][0]
    theirs = (await peopled.entra.get(users())).json()["Resources"][0]
    condition = 'id eq "{}"'
    assert await peopled.okta.names(users(filter=condition.format(ada["id"]))) == ["ada"]
    assert await peopled.okta.names(users(filter=condition.format(theirs["id"]))) == []
    assert (await peopled.okta.get(f"/Users/{theirs['id']}")).status_code == 404


async def test_order(peopled: ScimWorld) -> None:
    """§3.4.2.3: without regard to case unless the attribute says so; "if there's no data ... last if
    ascending and first if descending"; of several values, the primary one."""
    assert await peopled.okta.names(users(sortBy="userName", sortOrder="descending")) == [
        "dan",
        "cyd",
        "Bob",
        "ada",
    ]
    assert (await peopled.okta.names(users(sortBy="title")))[0] == "ada"
    assert (await peopled.okta.names(users(sortBy="title", sortOrder="descending")))[-1] == "ada"
    assert await peopled.okta.names(users(sortBy="emails")) == ["ada", "Bob", "cyd", "dan"]
    assert await peopled.okta.names(users(sortBy="emails.value", sortOrder="descending", count=1)) == ["dan"]
    assert await peopled.okta.names(users(sortBy="name.familyName", filter="active eq true")) == [
        "ada",
        "Bob",
        "cyd",
    ]
    for wrong in ("nothing", "name"):
        assert (await peopled.okta.get(users(sortBy=wrong))).status_code == 400
    assert (await peopled.okta.get(users(sortBy="title", sortOrder="up"))).status_code == 400


@pytest.mark.parametrize(
    ("query", "names", "start"),
    [
        ({}, ["ada", "Bob", "cyd", "dan"], 1),
        ({"startIndex": 2, "count": 2}, ["Bob", "cyd"], 2),
        ({"startIndex": 0, "count": 1}, ["ada"], 1),
        ({"startIndex": -3, "count": 1}, ["ada"], 1),
        ({"startIndex": 9}, [], 9),
        ({"count": 0}, [], 1),
        ({"count": -1}, [], 1),
        ({"startIndex": 2, "count": 2, "filter": "emails pr"}, ["Bob", "cyd"], 2),
    ],
)
async def test_pages(peopled: ScimWorld, query: dict[str, object], names: list[str], start: int) -> None:
    """§3.4.2.4: "startIndex ... A value less than 1 SHALL be interpreted as 1"; "count ... A negative value
    SHALL be interpreted as 0"; itemsPerPage and totalResults."""
    answer = (await peopled.okta.get(users(**query))).json()
    assert [each["userName"] for each in answer["Resources"]] == names
    assert (answer["startIndex"], answer["itemsPerPage"]) == (start, len(names))
    assert answer["totalResults"] == 4


@pytest.mark.parametrize("wrong", [{"count": "x"}, {"startIndex": "1.5"}, {"count": 10**12}])
async def test_pages_that_are_no_numbers(peopled: ScimWorld, wrong: dict[str, object]) -> None:
    assert (await peopled.okta.get(users(**wrong))).status_code == 400


async def test_search_by_post(peopled: ScimWorld) -> None:
    """§3.4.3: "clients MAY execute queries without passing parameters on the URL by using the HTTP POST verb
    combined with the "/.search" path extension"."""
    body: dict[str, Any] = {
        "schemas": [SEARCH],
        "filter": 'userName sw "b"',
        "attributes": ["userName"],
        "startIndex": 1,
        "count": 10,
    }
    answer = await peopled.okta.send("POST", "/Users/.search", body)
    assert answer.status_code == 200
    (bob,) = answer.json()["Resources"]
    assert bob.keys() == {"schemas", "id", "userName"}
    assert (await peopled.okta.send("POST", "/Users/.search", {**body, "schemas": []})).status_code == 400
    assert (await peopled.okta.send("POST", "/Users/.search", {**body, "attributes": "x"})).status_code == 400
    assert (await peopled.okta.get("/Users/.search")).status_code == 405


async def test_search_everywhere(peopled: ScimWorld) -> None:
    """§3.4.2.1: "Queries MAY be performed against the server root"; what one kind of resource does not have
    does not fit."""
    await peopled.okta.made("/Groups", displayName="Dev")
    body = {"schemas": [SEARCH], "filter": "meta.created pr", "startIndex": 4, "count": 5}
    answer = (await peopled.okta.send("POST", "/.search", body)).json()
    assert [each["meta"]["resourceType"] for each in answer["Resources"]] == ["User", "Group"]
    assert answer["totalResults"] == 5
    body = {"schemas": [SEARCH], "filter": 'userName eq "ada"'}
    assert (await peopled.okta.send("POST", "/.search", body)).json()["totalResults"] == 1
    assert (await peopled.okta.get("/")).json()["totalResults"] == 5
    wrong = await peopled.okta.get("/?filter=" + quote("nothing pr"))
    assert wrong.json()["scimType"] == "invalidFilter"
    assert (await peopled.okta.get("/?sortBy=id")).status_code == 501


async def test_members_and_groups_can_be_asked_for(peopled: ScimWorld) -> None:
    ada = (await peopled.okta.get(users(filter='userName eq "ada"'))).json()["Resources"][0]
    group = await peopled.okta.made("/Groups", displayName="Dev", members=[{"value": ada["id"]}])
    await peopled.okta.made("/Groups", displayName="dev")
    for condition, names in (
        ('displayName eq "Dev"', ["Dev"]),
        (f'members eq "{ada["id"]}"', ["Dev"]),
        (f'id eq "{group["id"]}" and members eq "{ada["id"]}"', ["Dev"]),
        (f'id eq "{group["id"]}" and members.value eq "usr_x"', []),
        ("members pr", ["Dev"]),
    ):
        assert await peopled.okta.names("/Groups?filter=" + quote(condition)) == names
    assert await peopled.okta.names(users(filter=f'groups.value eq "{group["id"]}"')) == ["ada"]
    found = (await peopled.okta.get(f"/Users/{ada['id']}")).json()
    assert [each["display"] for each in found["groups"]] == ["Dev"]
    listed = (await peopled.okta.get(users(count=1))).json()["Resources"][0]
    assert listed["groups"] == found["groups"]
    listed = (await peopled.okta.get(users(count=1, excludedAttributes="groups"))).json()["Resources"][0]
    assert "groups" not in listed
