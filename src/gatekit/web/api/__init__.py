"""The REST interface ``/api/v1``: a door for programs of administrators.

Everything follows from one table of operations (``operations``): routes, the OpenAPI document, the check of
permissions, and the tests that walk them. An operation says method, path, permission, shape of query, body
and answer, and which use case of ``admin`` it is; there is no judgement here. ``door`` lets in whoever has an
admin key, ``openapi`` writes the description, ``problems`` turns errors into answers (RFC 9457).

Not accepted: cookies (so no web page can borrow a browser), API keys and access tokens of MCP clients.
"""
