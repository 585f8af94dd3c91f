"""The data plane, in the order a request lives it.

``endpoint`` (ASGI in, a ``Wire`` out) → ``inbound`` (token, origin, body, before anything is believed) →
``faces`` (one per era: bytes ↔ Call) → ``exchange`` (READ THIS FIRST: authorize → route → await → record) →
``router``, ``catalog`` and ``aggregate`` (whose tool is that; what may be listed; several servers as
one, seen through ``views``) → ``reply`` (JSON or an event stream).
``sessions`` keeps what the handshake era needs to remember, ``listen`` serves long-lived subscriptions.

Below ``endpoint`` nothing knows ASGI: headers and body come in, a ``Wire`` goes out. Nothing here reads
SQL; the tables it reads (``Published``) are swapped whole when the configuration changes.
"""
