from __future__ import annotations

import pytest

from leanner.report.answer import answer
from leanner.report.costs import Speedup
from leanner.report.record import F1Drop
from leanner.report.record import Verdict
from report.records import NO_METER
from report.records import baseline
from report.records import energy
from report.records import not_run
from report.records import record


SLOWER = Speedup(0.5, 0.45, 0.55, "fp32")


def test_the_fastest_that_keeps_its_bound() -> None:
    slow = record("int8", speedup=Speedup(1.2, 1.1, 1.3, "fp32"))
    lossy = record("magnitude-90", speedup=Speedup(9.0, 8.0, 10.0, "fp32"), verdict=Verdict.RECORDED)

    assert answer([baseline(), slow, record(), lossy]) == f"bf16: 1.8× faster, 0.1 pt F1, no meter here: {NO_METER}"


def test_beside_a_loss_that_is_seen_stands_the_fastest_without_one() -> None:
    lossy = record("pruned", speedup=Speedup(4.6, 4.4, 4.8, "fp32"), f1_drop=F1Drop(1.6, 0.6, 2.7, 4.0))
    careful = record("int8", speedup=Speedup(3.3, 3.1, 3.5, "fp32"), f1_drop=F1Drop(0.7, -0.06, 1.5, 3.5))
    others = (record(f1_drop=F1Drop(0.0, 0.0, 0.0, 1.0)), record("odd", f1_drop=F1Drop(0.7, 0.1, 1.5, 3.5)))
    clause = "(without a loss that this text shows: int8, 3.3× faster, 0.7 pt F1 [-0.1, 1.5])"

    found = answer([baseline(), lossy, careful, *others])
    assert found == f"pruned: 4.6× faster, 1.6 pt F1 {clause}, no meter here: {NO_METER}"
    assert "without a loss" not in answer([baseline(), lossy])
    assert "without a loss" not in answer([baseline(), careful, *others])


def test_a_label_that_loses_much_more_is_named() -> None:
    before = baseline()
    assert before.f1 is not None
    disease = before.f1["DISEASE"]
    assert disease is not None
    found = record(f1={**before.f1, "DISEASE": disease - 0.081})

    assert answer([before, found]).startswith("bf16: 1.8× faster, 0.1 pt F1, 8.1 of DISEASE, no meter here")
    assert " of DISEASE" not in answer([before, record(f1={**before.f1, "DISEASE": disease - 0.01})])
    assert " of " not in answer([before, record(f1={**before.f1, "DISEASE": None})]).partition(", no meter")[0]


def test_joules_are_held_against_the_baseline() -> None:
    before = baseline(energy=energy(20.0))

    assert answer([before, record(energy=energy(15.0))]) == "bf16: 1.8× faster, 0.1 pt F1, 25 % fewer joules"
    assert answer([before, record(energy=energy(25.0))]).endswith("25 % more joules")


def test_joules_without_a_baseline_are_said_as_they_are() -> None:
    assert answer([baseline(), record(energy=energy(15.0))]).endswith("15 J per 1,000 sentences")
    elsewhere = baseline(device="cuda", energy=energy(20.0))
    assert answer([elsewhere, record(energy=energy(15.0))]).endswith("15 J per 1,000 sentences")


def test_an_estimate_is_called_so() -> None:
    before = baseline(energy=energy(20.0, "estimate"))

    assert answer([before, record(energy=energy(15.0, "estimate"))]).endswith("25 % fewer joules (estimate)")


def test_a_device_is_named_unless_it_is_the_cpu() -> None:
    assert answer([baseline(device="cuda"), record(device="cuda")]).startswith("bf16 on cuda: ")


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.RECORDED])
def test_fast_but_not_held(verdict: Verdict) -> None:
    assert answer([baseline(), record(verdict=verdict)]) == (
        "fp32: nothing measured is both faster and within its F1 bound; "
        f"fastest was bf16: 1.8× faster, 0.1 pt F1 ({verdict}), "
        "no meter here: cpu_package: this machine shows no RAPL zone"
    )


def test_faster_within_the_noise_is_not_faster() -> None:
    noisy = record(speedup=Speedup(1.1, 0.98, 1.2, "fp32"))

    assert "nothing measured is both faster" in answer([baseline(), noisy])


def test_what_is_slower_is_called_slower() -> None:
    assert "fastest was bf16: 2.0× slower, 0.1 pt F1 (pass)" in answer([baseline(), record(speedup=SLOWER)])


def test_a_gain_too_small_to_show_has_no_sign() -> None:
    tiny = record(f1_drop=F1Drop(-0.01, -0.1, 0.1, 1.0))
    gain = record(f1_drop=F1Drop(-0.31, -0.4, 0.1, 1.0))

    assert ", 0.0 pt F1," in answer([baseline(), tiny])
    assert ", -0.3 pt F1," in answer([baseline(), gain])


def test_a_loss_that_is_unknown_is_said() -> None:
    assert ", F1 loss unknown (inconclusive)" in answer(
        [baseline(), record(f1_drop=None, verdict=Verdict.INCONCLUSIVE)]
    )


def test_nothing_to_compare() -> None:
    alone = "nothing to compare: no case but the baseline was measured"

    assert answer([]) == alone
    assert answer([baseline()]) == alone
    assert answer([baseline(), not_run()]) == alone
    assert answer([record(speedup=None)]) == "nothing to compare: the baseline was not timed among the cases"


def test_an_unchanged_tagger_behind_a_server_is_not_the_baseline() -> None:
    served = record("torchserve-fp32-b16", passes=(), served={}, speedup=None)

    assert answer([served]) == "nothing to compare: the baseline was not timed among the cases"
    held = record("torchserve-fp32-b16", passes=(), served={}, speedup=Speedup(1.2, 1.1, 1.3, "fp32"))
    assert answer([baseline(), held]).startswith("torchserve-fp32-b16: 1.2× faster")
