"""SAML 2.0, the service provider's side: what an identity provider's browser post says about a person.

Read ``response.py`` first: it is the whole way from posted bytes to ``Accepted``. Three rules hold in this
room.

- **One parser, one way in.** ``documents.parse`` is the only place that turns a stranger's bytes into a tree.
  It knows no document type, no entity, no network, no comment and no processing instruction.
- **See what is signed.** ``signature.verify`` digests the canonical bytes of the element that its signature
  is a child of and returns a tree parsed from exactly those bytes. Nothing about a person is read from
  anywhere else, and no element is ever looked up by its id.
- **One reason each.** Whatever is wrong raises ``SamlRefused`` with one of ``errors.SamlReason``: for the log
  and the audit. The person sees one sentence, whichever it was.

Not here: HTTP (``oauth/posted.py`` takes the browser's post, ``oauth/saml.py`` answers the other paths),
which person it is (``identity/mapping``). ``lxml`` costs start-up time, so nothing imports this room before a
SAML connection is used.
"""
