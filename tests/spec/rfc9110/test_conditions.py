"""RFC 9110: conditional requests and methods of the REST interface."""

from __future__ import annotations

from pathlib import Path

from tests.support.administration import administration


async def test_13_1_1_a_false_condition_means_that_nothing_happens(tmp_path: Path) -> None:
    """ "An origin server that evaluates an If-Match condition MUST NOT perform the requested method if the
    condition evaluates to false." """
    async with administration(tmp_path) as office, await office.program("root", "owner") as http:
        await office.person("alice")
        answer = await http.delete("/people/alice", headers={"If-Match": '"another"'})
        assert answer.status_code == 412
        assert (await http.get("/people/alice")).status_code == 200


async def test_13_1_1_weak_tags_match_nothing(tmp_path: Path) -> None:
    """ "An origin server MUST use the strong comparison function when comparing entity tags for If-Match" """
    async with administration(tmp_path) as office, await office.program("root", "owner") as http:
        await office.person("alice")
        tag = (await http.get("/people/alice")).headers["ETag"]
        assert (await http.delete("/people/alice", headers={"If-Match": f"W/{tag}"})).status_code == 412
        assert (await http.delete("/people/alice", headers={"If-Match": tag})).status_code == 204


async def test_13_1_1_a_star_asks_whether_there_is_one(tmp_path: Path) -> None:
    """ "If the field value is "*", the condition is true if the origin server has a current representation
    for the target resource." """
    async with administration(tmp_path) as office, await office.program("root", "owner") as http:
        assert (await http.delete("/people/alice", headers={"If-Match": "*"})).status_code == 404
        await office.person("alice")
        assert (await http.delete("/people/alice", headers={"If-Match": "*"})).status_code == 204


async def test_15_5_6_methods_that_there_are(tmp_path: Path) -> None:
    """ "The origin server MUST generate an Allow header field in a 405 response" """
    async with administration(tmp_path) as office, office.http() as http:
        answer = await http.delete("/people")
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_11_6_1_a_challenge_comes_with_401(tmp_path: Path) -> None:
    """ "A server generating a 401 (Unauthorized) response MUST send a WWW-Authenticate header field" """
    async with administration(tmp_path) as office, office.http() as http:
        assert (await http.get("/me")).headers["WWW-Authenticate"] == 'Bearer realm="gatekit admin"'
