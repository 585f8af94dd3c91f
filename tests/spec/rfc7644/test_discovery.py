"""RFC 7644 §4: what a client can find out."""

from __future__ import annotations

import pytest

from gatekit.identity.scim.schema import ENTERPRISE_URN, SCHEMAS, USER_URN
from tests.support.scim import BASE, ScimWorld


async def test_the_configuration(scim: ScimWorld) -> None:
    """RFC 7643 §5: what is required is there; RFC 9865 §4: pagination."""
    found = (await scim.okta.get("/ServiceProviderConfig")).json()
    assert all(found[name]["supported"] for name in ("patch", "bulk", "filter", "sort", "etag"))
    assert found["changePassword"] == {"supported": False}
    assert found["authenticationSchemes"][0]["type"] == "oauthbearertoken"
    assert found["pagination"]["cursor"]
    assert found["meta"]["location"] == f"{BASE}/ServiceProviderConfig"


async def test_types_and_schemas(scim: ScimWorld) -> None:
    types = (await scim.okta.get("/ResourceTypes")).json()
    assert [each["endpoint"] for each in types["Resources"]] == ["/Users", "/Groups"]
    assert (await scim.okta.get("/ResourceTypes/User")).json() == types["Resources"][0]
    schemas = (await scim.okta.get("/Schemas")).json()
    assert schemas["totalResults"] == len(SCHEMAS)
    assert (await scim.okta.get(f"/Schemas/{ENTERPRISE_URN}")).json()["name"] == "EnterpriseUser"
    assert (
        (await scim.okta.get(f"/okta/Schemas/{USER_URN}"))
        .json()["meta"]["location"]
        .startswith(f"{BASE}/okta/")
    )


@pytest.mark.parametrize("path", ["ServiceProviderConfig", "ResourceTypes", "Schemas"])
async def test_they_are_neither_filtered_nor_changed(scim: ScimWorld, path: str) -> None:
    """§4: "If a filter is provided, the service provider SHOULD respond with HTTP status code 403"."""
    assert (await scim.okta.get(f"/{path}?filter=id+pr")).status_code == 403
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await scim.okta.send(method, f"/{path}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
