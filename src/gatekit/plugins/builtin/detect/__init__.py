"""Finding things in text: credentials, what belongs to a person, and text that tries to give orders.

A *pack* (YAML) holds rules; a ``Scanner`` compiles packs to one RE2 set, so that the time for a text grows
with its length and with nothing else, whatever the patterns and whatever the text. ``read`` makes text out
of JSON values and out of what is packed in them (escapes, base64, percent-encoding), ``checks`` holds what a
pattern cannot say.

Nothing here knows of calls, verdicts or configuration: the guards (``builtin/secrets`` and its neighbours)
do. The library imports nothing of Gatekit.
"""
