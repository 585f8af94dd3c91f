"""What must survive a restart. ``ports.py`` has one Protocol per noun; ``sql/`` implements them.

Nothing here decides anything: a store reads, writes, and consumes one-time things by compare-and-swap inside
one transaction. Every change that the data plane caches is also written to the ``changes`` table in the same
transaction, so that a running gateway notices what another process (the command line) did.
"""
