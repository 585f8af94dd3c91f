"""Believing somebody else: the access tokens of another authorization server, and the people they name.

``discovery`` finds an issuer's endpoints and keys, ``tokens`` judges one access token (signature here or
introspection there, ``introspection``), ``claims`` reads a person out of it, and ``people`` finds or makes
the row, so that a person of another issuer can be seen, listed and disabled like any other. ``oauth.bearer``
calls ``tokens``; the identity assertion grant shares the rest. What a JWT is, ``platform.foreign`` knows.
"""
