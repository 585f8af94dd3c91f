"""How long to look: ``GATEKIT_FUZZ`` multiplies the number of examples (``scripts/fuzz``) and makes every run
another one. Without it the examples are always the same, so that a change that broke nothing stays green."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz",
    max_examples=150 * int(os.environ.get("GATEKIT_FUZZ", "1")),
    deadline=None,
    derandomize="GATEKIT_FUZZ" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
