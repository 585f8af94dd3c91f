"""The data plane, in the order a request lives it.

``endpoint`` (ASGI in, a ``Wire`` out) → ``inbound`` (token, origin, body, before anything is believed) →
``faces`` (one per era: bytes ↔ Call) → ``exchange`` (READ THIS FIRST: authorize, route, ``trip``, record) →
``router``, ``catalog`` and ``aggregate`` (whose tool is that; what may be listed; several servers as
one, seen through ``views``) → ``reply`` (JSON or an event stream).
``sessions`` keeps what the handshake era needs to remember, ``replay`` what one of its clients may have to
hear again; ``batch`` is several of its calls in one request, ``legacy`` its first transport (HTTP+SSE).
``quotas`` counts what was used of what; ``turns`` says whose turn it is where a server does only so much.
``drain`` ends all of it in order.

The bridge between the eras: ``rounds`` (a stateless client is asked by ending its request; ``parking``,
``slots`` and ``tickets`` keep the call alive meanwhile) and ``loop`` (a handshake-era client is asked on the
stream of its call, and the gateway goes the rounds). ``feeds`` brings list changes and resource updates of
either era to sessions and to the streams of ``listen``.

Below ``endpoint`` nothing knows ASGI: headers and body come in, a ``Wire`` goes out. Nothing here reads
SQL; the tables it reads (``Published``) are swapped whole when the configuration changes.
"""
