"""The nouns: frozen, slotted records without behaviour that needs the outside world.

Everybody imports this room and it imports nobody but ``errors``. A noun that is stored has the shape it has
in the store; a noun that travels (``Call``, ``Access``) has the shape the hot path wants. Times are seconds
since the Unix epoch, UTC: ``int`` where they are stored, ``float`` where they are measured.

Words are used as ``docs/architecture.md`` §2 defines them: a *Principal* asks, a *User* is its stored row,
a *Client* is an OAuth client, a *Grant* is the parent of every token, a *Server* is what we publish.
"""
