"""The demonstration: three published servers and one that changes, two people, one gateway, and proof.

Owns: fetching the demonstration's servers into a folder of its own, writing the configuration a newcomer
would write, starting ``gatekit serve`` like anybody else would, and ``--check``: a small OAuth and MCP client
on the standard library alone that walks the story over HTTP, one line a step. ``guarded`` is the half of it
about rules and guards; ``sums`` is the server that changes, a program of its own.

Owns not: anything that a gateway does. The demonstration is a customer of the command line and of the wire;
it imports no other room, so that what it proves is what a person gets. Called by ``cli/demo`` only.
"""
