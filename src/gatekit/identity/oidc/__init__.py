"""Sign-in with an OpenID provider (OpenID Connect Core 1.0, code flow), as a relying party.

``provider`` walks the way: discovery, the browser's trip, the code, the id_token, userinfo. ``tokens`` judges
what the provider signed. ``client`` proves to the provider that we are its client. ``people`` reads a person
out of claims, and knows the habits of Google, Entra ID and Okta, each of which has another claim that must
not be believed. ``backchannel`` judges logout tokens. Signatures, key sets and discovery documents are read
by ``platform.foreign``, ``platform.remote_keys`` and ``platform.discovery``, as on the OAuth side.

Not here: who may come in (``identity.rules``, ``policy``), sessions and cookies (``oauth``).
"""
