"""The official Python SDK signs in at two tenants of one process, knowing nothing but their URLs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sdk import Application
from tests.support.tenants import House, house


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("tenants"), "acme", "beta") as built:
        yield built


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_python_sdk_at_both(two: House, mode: str) -> None:
    people = {name: tenant.person(f"sdk-{mode}") for name, tenant in two.tenants.items()}
    for name, tenant in two.tenants.items():
        application = Application(people[name])
        async with application.connect(tenant.endpoint("echo"), mode=mode) as client:
            assert (await client.list_tools()).tools
        assert application.logins == 1
