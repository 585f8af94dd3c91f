"""Who may use what: the operator's rules, compiled once, asked on every call.

``rules.py`` turns the declared ``model.rules.Rules`` into sets of keys (one key per way to name a person);
``engine.py`` answers. A ``Policy`` is immutable, so a changed file means a new Policy and nothing else. The
gateway asks a ``Rights`` per principal and keeps it as long as the Policy and the Principal live; the
authorization server asks ``admits``.

The rules of one server are indexed once for everybody (``index.py``); what one person may do there is
worked out name by name, and kept (``server_rights.py``). Rules of the store are written and read by
``written.py`` and join those of the file in ``stored.py``. ``explain``, ``cases``, ``hindsight`` and
``compare`` ask the same engine for operators: why, as expected, what would have been, what would change.

Not here: reading the file (``config``), who somebody is (``identity``), scopes of a token (``oauth``).
Everything is denied that no rule allows.
"""
