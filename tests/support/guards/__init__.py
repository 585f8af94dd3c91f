"""Labelled texts for the guards: random values in true formats, so that nothing in here is a secret."""
