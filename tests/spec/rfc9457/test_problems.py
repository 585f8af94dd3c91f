"""RFC 9457: problem details of the REST interface."""

from __future__ import annotations

from pathlib import Path

from gatekit.errors import ApiProblem
from tests.support.administration import administration


async def test_3_1_the_status_is_the_one_of_the_answer(tmp_path: Path) -> None:
    """ "Generators MUST use the same status code in the actual HTTP response" (§3.1.2)"""
    async with administration(tmp_path) as office, await office.program("root", "owner") as http:
        for method, path in (("GET", "/people/nobody"), ("GET", "/people?limit=0"), ("PUT", "/people")):
            answer = await http.request(method, path)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
        async with office.http() as stranger:
            assert (await stranger.get("/people")).json()["status"] == 401


def test_3_1_1_types_are_absolute() -> None:
    """ "it is RECOMMENDED that absolute URIs be used in "type" when possible" (§3.1.1): ours are URNs, which
    nobody takes for something to fetch. A type has one title and one status."""
    kinds = {problem.kind: (problem.title, problem.status) for problem in ApiProblem.__subclasses__()}
    assert len(kinds) == len(ApiProblem.__subclasses__())
    assert all(title and 400 <= status < 600 for title, status in kinds.values())
