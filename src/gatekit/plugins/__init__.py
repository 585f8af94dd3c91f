"""What may pass: plugins that look at requests, results, lists and notifications, and have a say.

``chain`` runs the plugins of one server in order, with a deadline and a fail mode each, and keeps what they
said for the audit; ``loader`` finds them (built in, entry points, a folder) and checks their options;
``house`` keeps the living ones over a reload. ``builtin`` holds those that come with Gatekit: each uses only
the public API in ``gatekit.plugin``, as a stranger's would.

Not here: where in an exchange plugins are asked (``gateway.inspection``), who may do what (``policy``), and
what is written down (``audit``).
"""
