"""The second held-out corpus is as broad as docs say and marks values that stand in its texts."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.guards import held_out, held_out_second
from tests.support.guards.held_out_second_injection import TECHNIQUES
from tests.support.guards.making import samples


@pytest.mark.parametrize(
    ("templates", "families", "least"),
    [(held_out_second.SECRETS, 60, 3), (held_out_second.PII, 25, 4)],
    ids=["secrets", "pii"],
)
def test_each_family_stands_in_several_places(
    templates: tuple[tuple[str, str], ...], families: int, least: int
) -> None:
    places = Counter(kind for kind, _ in templates)
    assert len(places) >= families
    assert min(places.values()) >= least
    for sample in samples(templates, 1, 1):
        assert sample.secret, sample.kind
        assert sample.secret in sample.text, sample.kind
        assert not set("«»§") & set(sample.text), sample.kind


def test_orders_of_many_techniques_and_no_text_of_the_first_corpus() -> None:
    assert len(TECHNIQUES) >= 18
    assert len(set(held_out_second.ORDERS)) == len(held_out_second.ORDERS) >= 150
    assert not set(held_out_second.ORDERS) & set(held_out.ORDERS)
    assert not set(held_out_second.CALM) & set(held_out.CALM)
    assert len(held_out_second.CALM) >= 100
