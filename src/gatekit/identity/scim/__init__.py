"""SCIM as values: what RFC 7643 and RFC 7644 say about resources, without HTTP, store or clock.

A resource is a dict of JSON with canonical names, extensions under their URN, and nothing that is empty.
``schema`` says what there is, ``read`` turns a client's JSON into such a dict, ``filters`` and ``paths``
judge it, ``patch`` changes it, ``show`` gives it back, ``bulk`` puts several requests into an order.

Why of our own and not a library: the libraries are built on models that cost more memory than a whole
gateway may use (docs/decisions), and what providers really send (``patch``) is no model's shape. Nothing in
here knows of people: ``admin.provisioning`` does, and ``web.scim`` is its door.
"""
