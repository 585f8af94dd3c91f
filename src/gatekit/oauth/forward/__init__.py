"""Forward-auth: a reverse proxy asks us about each request before it passes it on to an application.

``original`` reads what the proxy was asked for, and finds the application (``model.target``) that it is for.
``passes`` are what a browser carries: it cannot carry our own sign-in cookie there, because the application
has another host name and must not be able to act for the person here. ``judge`` answers, and says who it is:
``identity`` puts that into headers, one of them signed.

Not here: the routes (``web.forward_auth``) and the proxies themselves (docs/forward-auth.md).
"""
