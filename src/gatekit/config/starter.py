"""The file that ``gatekit init`` writes: small enough to read, complete enough to run."""

from __future__ import annotations

OWNER = "alice"


def starter(owner: str = OWNER) -> str:
    """The file, with ``owner`` as the one who may use the first server."""
    if owner == OWNER:
        return STARTER
    line = f"    - {OWNER}            #"
    # In quotes: `on` and `123` are names, too.
    return STARTER.replace(line, f'    - "{owner}" '.ljust(len(line) - 1) + "#")


STARTER = """\
# Gatekit: the front door for your MCP servers.
#
#   gatekit check         what this file means, and what is wrong with it
#   gatekit serve         start
#   gatekit users add bob a person, and a one-time link with which he sets his password
#
# `gatekit init` has made the first owner, who manages everything at <public_url>/admin.
#
# Changes to people, rules and servers apply while the gateway runs.
# Every setting is described in docs/configuration.md.

proxy:
  transport: http
  host: 127.0.0.1
  port: 8080
  # What clients see; required when the host is not this machine only, and then it must be https.
  # public_url: https://mcp.example.com

  auth:
    enabled: true
    # Accounts in Gatekit's own store. To sign in with GitHub, register an OAuth app there with the
    # callback URL <public_url>/callback/github, and write instead:
    #
    # provider: github
    # client_id: "Iv1.0123456789abcdef"
    # client_secret: ${env:GITHUB_CLIENT_SECRET}     # or ${file:/run/secrets/github}
    #
    # Both at once:
    #
    # providers:
    #   local:
    #   github:
    #     client_id: "Iv1.0123456789abcdef"
    #     client_secret: ${env:GITHUB_CLIENT_SECRET}
    provider: local

    # Who may come in at all. Left out: whoever is named by at least one server. []: nobody.
    # allowed_users: ["alice@example.com", "bob"]

# Groups of people. More can be made with `gatekit groups create`.
groups:
  developers:
    - alice            # a username here; alice@example.com is a verified e-mail address,
                       # github:octocat a login at GitHub, team:acme/platform a team there

# Each server is published at <public_url>/s/<name>/mcp, and all of them together at <public_url>/mcp.
# A command is split into words and started directly, never through a shell.
servers:
  time:
    command: uvx mcp-server-time
    allowed_groups: [developers]

  # files:
  #   command: npx -y @modelcontextprotocol/server-filesystem
  #   args: [/srv/shared]
  #   env:
  #     LOG_LEVEL: info
  #   allowed_users: [alice]
  #   instances: user          # session (default), user, or shared by everybody
  #   idle_timeout: 5m
  #   tools:
  #     "write_*": [group:sre] # only these people may use tools of such names
"""
