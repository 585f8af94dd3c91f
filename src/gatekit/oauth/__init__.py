"""The authorization server and the resource server's bearer check, in the order a login happens:

``metadata`` → ``clients`` (registration) → ``authorize`` (the one dispatcher: login? consent? code?) →
``interaction`` (sign-in pages, provider callbacks) → ``consent`` → ``code`` → ``token`` → ``keys``; and on
every MCP request ``bearer``. HTML comes from the ``Pages`` port, which ``web`` implements.
"""
