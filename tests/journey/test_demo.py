"""``gatekit demo --check`` with the servers that the tests have: the half of the story about rules."""

from __future__ import annotations

from pathlib import Path

from gatekit.demo.browser import Person
from gatekit.demo.gateway import DemoGateway, free_port
from gatekit.demo.guarded import GuardedStory
from gatekit.demo.run import furnish
from gatekit.demo.servers import Commands
from gatekit.demo.story import opened
from tests.support.peers import NODE, TIME_SERVER, npm_server


def test_a_secret_an_argument_an_approval_and_a_tool_that_changes(tmp_path: Path) -> None:
    scratch = furnish(tmp_path)
    commands = Commands(
        everything=(str(NODE), str(npm_server("everything"))),
        filesystem=(str(NODE), str(npm_server("filesystem")), str(scratch)),
        time=(str(TIME_SERVER), "--local-timezone", "UTC"),
        versions="those of the tests",
    )
    gateway = DemoGateway(tmp_path, free_port(0))
    gateway.configure(commands)
    alice = Person("alice", "alice has a long password")
    told: list[str] = []
    try:
        gateway.start()
        alice.accept_invitation(gateway.invite("alice"))
        GuardedStory(gateway, lambda server: opened(alice, gateway, server), told.append).tell()
    finally:
        gateway.stop()
    assert [line.partition(":")[0] for line in told] == [
        *("guard", "rule", "explain", "approval", "pins", "pins")
    ]
    text = "\n".join(told)
    assert "deny by rules.private-stays-private: “this folder is not for tools”" in text
    assert "alice's write_file waited (rules.somebody-looks), was allowed, and ran" in text
    assert "withheld, suspicious of hidden-markup, instructions" in text
