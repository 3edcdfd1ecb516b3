from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.fingerprints import fingerprint


def test_fingerprint_is_the_same_on_every_machine() -> None:
    assert fingerprint("bioid", "140041 Figure_1-A") == 759464405804284570


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_parts_do_not_run_into_each_other(one: list[str], other: list[str]) -> None:
    assert (fingerprint(*one) == fingerprint(*other)) == (one == other)


def test_lone_surrogates_have_a_fingerprint() -> None:
    assert fingerprint("\ud800") != fingerprint("\ud801")


def test_set_behaves_like_a_set() -> None:
    generator = random.Random(0)
    elements = [generator.getrandbits(64) for _ in range(30_000)] + [0, (1 << 64) - 1]
    elements += elements[::7]
    compact = FingerprintSet()
    plain: set[int] = set()
    for element in elements:
        assert compact.add(element) == (element not in plain)
        plain.add(element)
    assert len(compact) == len(plain)
    assert all(element in compact for element in plain)
    assert not any(element ^ 1 in compact for element in plain if element ^ 1 not in plain)
