"""What administrators may do. Each use case checks, acts and records, once.

These are: people, groups, API keys, OAuth clients, grants and rules.

It is the room behind every door: the command line today, the REST interface and the console later. A door
turns words into calls and errors into its own kind of answer, and holds no logic. Whoever holds an
``Actor`` was let in by the door (on the command line: the operating system, which guards the data
directory).

A change is answered only when its record is safe: a key that could not be recorded is never shown.
"""
