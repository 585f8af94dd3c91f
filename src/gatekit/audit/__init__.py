"""The trail: what happened, safe before it is answered.

``recorder.py`` appends (READ THIS FIRST): the records of one event-loop tick become one ``write(2)``.
``chain.py`` is the form of a line and its hash, ``segments.py`` the files, their lock and their repair.
``query.py`` reads: search, tail; ``verify.py`` walks the chain; ``times.py`` knows what time a file covers.

The recorder knows nothing of MCP; it is handed finished ``model.audit`` events by the gateway, the
authorization server, ``admin`` and the command line. Reading needs no recorder and takes no lock.
"""
