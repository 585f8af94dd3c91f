"""Labelled texts for the guards: made with random values in true formats, so that nothing in here is a secret."""
