from __future__ import annotations

from pathlib import Path

import pytest

from leanner.measure.prefixes import REPEATS
from leanner.measure.prefixes import SHARES
from leanner.measure.prefixes import measure_prefixes
from measure.fakes import FakeTagger
from measure.fakes import articles
from meters import fake_sysfs
from meters.rig import Rig


CORPUS = articles(20)


def test_without_a_meter_nothing_is_tagged() -> None:
    def never() -> None:
        raise AssertionError("tagged")

    with Rig().meter("auto") as meter:
        assert measure_prefixes(FakeTagger(on_tag=never), CORPUS, meter, 0.0) == ()


def test_parts_of_the_corpus_in_windows_of_their_own_small_and_large_in_turn(tmp_path: Path) -> None:
    rig = Rig(fake_sysfs.amd(tmp_path))
    powercap = rig.powercap
    assert powercap is not None

    def tag() -> None:
        rig.clock.advance(1.0)
        powercap.spend("intel-rapl:0", 30.0)

    with rig.meter("auto") as meter:
        found = measure_prefixes(FakeTagger(on_tag=tag), CORPUS, meter, 0.0)

    assert len(found) == len(SHARES) * REPEATS
    assert [prefix.sentences for prefix in found] == [10, 20, 30, 30, 20, 10]
    assert {prefix.times for prefix in found} == {1}
    assert [prefix.reading.total_j for prefix in found] == pytest.approx([30.0] * 6)


def test_short_parts_are_tagged_until_the_window_is_long_enough(tmp_path: Path) -> None:
    powercap = fake_sysfs.QuickPowercap(tmp_path)
    powercap.add("intel-rapl:0", "package-0")
    rig = Rig(powercap)

    def tag() -> None:
        rig.clock.advance(0.01)
        powercap.spend("intel-rapl:0", 1.0)

    with rig.meter("auto") as meter:
        found = measure_prefixes(FakeTagger(on_tag=tag), CORPUS, meter, 2e-2)

    assert all(prefix.times > 1 for prefix in found)
    assert [prefix.reading.total_j for prefix in found] == pytest.approx([prefix.times for prefix in found])
