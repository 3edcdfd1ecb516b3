from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from export.made import shaped
from leanner.combinations import combined
from leanner.configurations import CONFIGURATIONS
from leanner.measure.search.space import candidates
from leanner.passes.calibration import text
from leanner.passes.compiling import Compile
from leanner.passes.engines import OnnxRuntime
from leanner.passes.engines import OpenVino
from leanner.passes.precision import Precision
from leanner.passes.protocol import NotRunnable
from leanner.passes.pruning.semi_structured import SemiStructuredKernels
from leanner.passes.pt2e import Pt2e
from leanner.passes.torchao_kernels import TorchaoQuantization


if TYPE_CHECKING:
    from leanner.measure.search.space import Candidate
    from leanner.passes.protocol import Pass
    from leanner.taggers.protocol import Tagger


EVERY = candidates(0)


def test_the_named_configurations_are_among_them_and_none_is_there_twice() -> None:
    names = {candidate.name: candidate for candidate in EVERY}

    assert len(names) == len({candidate.passes for candidate in EVERY}) == len(EVERY)
    assert {each.name for each in CONFIGURATIONS if each.passes and each.served is None} < names.keys()
    assert all(candidate.passes for candidate in EVERY)


def test_a_name_says_which_passes() -> None:
    assert all(combined(candidate.name).passes == candidate.passes for candidate in EVERY)


def test_the_seed_draws_the_order_and_nothing_else() -> None:
    assert candidates(0) == EVERY
    assert candidates(1) != EVERY
    assert set(candidates(1)) == set(EVERY)


def test_named_ones_in_the_lean_runtime_come_first_and_other_named_ones_last() -> None:
    lean = [each.name for each in CONFIGURATIONS if each.name.startswith("lean")]
    own = [each for each in CONFIGURATIONS if each.passes and each.served is None]
    others = [each.name for each in own if not each.name.startswith("lean")]
    names = [candidate.name for candidate in EVERY]

    assert set(names[: len(lean)]) == set(lean)
    assert set(names[-len(others) :]) == set(others)
    assert names[0] == "lean"
    assert names.index("lean-int8-static-prefix-heads-ffn-ls-50") < names.index("lean-bf16")


def test_candidates_with_the_same_stem_are_neighbours() -> None:
    drawn = [candidate for candidate in EVERY if "+" in candidate.name]
    runs = [a.stem != b.stem for a, b in pairwise(drawn)]

    assert sum(runs) + 1 == len({candidate.stem for candidate in drawn})


def kinds(candidate: Candidate) -> tuple[str, ...]:
    """Return the kinds of the passes: orders are refused by kind."""
    return tuple(type(each).__name__ for each in candidate.passes)


def one_of_each_kind() -> dict[tuple[str, ...], Candidate]:
    return {kinds(candidate): candidate for candidate in reversed(EVERY)}


def on_a_cpu(each: Pass) -> Pass:
    """Return bfloat16 for float16, which a CPU refuses before it looks at the order."""
    return Precision("bfloat16") if each == Precision("float16") else each


def test_no_order_is_refused(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = text.calibration_text(1)
    monkeypatch.setattr("leanner.passes.calibration.text.calibration_text", lambda _=None: few)
    monkeypatch.setattr("leanner.passes.precision.multiplies_bfloat16", lambda: True)
    found = one_of_each_kind()
    assert len(found) > 20

    for candidate in found.values():
        if any(isinstance(each, OnnxRuntime | OpenVino | Compile | Pt2e) for each in candidate.passes):
            # alone, so that there is no order; another engine, or a compiler, need not be there
            assert len(candidate.passes) == 1
            continue
        # no context: the prompt is a prefix
        tagger: Tagger = shaped(shaped_file, context=0)
        for each in map(on_a_cpu, candidate.passes):
            if isinstance(each, SemiStructuredKernels | TorchaoQuantization):
                with pytest.raises(NotRunnable, match=r"need a GPU|needs CUDA"):
                    each(tagger)
            else:
                tagger = each(tagger)
        assert tagger.runtime == ("flair" if candidate.runtime is None else "lean")
