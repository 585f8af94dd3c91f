"""The store over SQL: one file per noun, plain portable statements with named parameters.

``engine.py`` is the only file that knows SQLite. ``store.py`` opens everything; the rest are the ports.
"""
