"""How fast, how heavy, how quick to start: Gatekit beside its floor, its children and its peers, in one run.

``python -m benchmarks`` (``scripts/bench``) starts every subject once and measures them in turn, again and
again, so that a slow minute of the machine hits all of them; medians of the rounds are compared. Not part of
the tests: nothing here decides whether a change is right.
"""
