"""The bridge as an OAuth client: what it may send as ``Authorization``, and how it comes by that.

``discover`` (whose server is that, and who signs people in for it) → ``register`` → ``code`` or ``device`` (a
person agrees) → ``keep`` (what is kept between starts, shared by parallel bridges) → ``account``, which the
channel asks before each request and tells about each refusal.
"""
