"""Whether all cases of a run were made of the same weights, and what follows from these."""

from __future__ import annotations

import json

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.check.compare import compare
from leanner.report.problem import Problem
from leanner.taggers.dtypes import BYTES


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.report.record import CaseRecord
    from leanner.report.record import TaggerInfo


_BUNDLED: Final = "bundled"

#: Passes that leave as many numbers as there were; others add scales.
_KEEPING: Final = frozenset(
    {
        "bf16",
        "fp16",
        "lean-runtime",
        "magnitude-pruning",
        "movement-pruning",
        "second-order-pruning",
        "semi-structured-pruning",
        "wanda-pruning",
    }
)
#: Passes after which there are fewer.
_REMOVING: Final = frozenset({"ffn-pruning", "head-pruning", "layer-pruning"})
_PRUNING: Final = frozenset(
    {
        "magnitude-pruning",
        "movement-pruning",
        "second-order-pruning",
        "semi-structured-kernels",
        "semi-structured-pruning",
        "wanda-pruning",
    }
)
#: How far the share of zeros that are there may lie from that asked for: small weights become zero as int8, too.
_ZEROS: Final = 0.01
#: The same where what pruning left is int8.
_INT8_ZEROS: Final = 0.06


def problems(report: Report) -> Iterator[Problem]:
    """Yield what differs between cases of one tagger, or from the tagger that comes with leanner."""
    first: dict[str, tuple[str, CaseRecord]] = {}
    for nodeid, record in report.measured.items():
        if record.tagger is None:
            yield Problem("tagger", "expected the tagger of a case with a result, found null").under(nodeid)
            continue
        name = record.tagger.name
        for problem in compare("tagger.name", report.options["tagger"], name, "the run's option"):
            yield problem.under(nodeid)
        other, reference = first.setdefault(name, (nodeid, record))
        assert reference.tagger is not None
        for problem in (
            *_as_elsewhere(record.tagger, reference.tagger, f"as in {other}"),
            *_numbers(record, record.tagger),
            *_zeros(record, report.measured.values()),
            *_sizes(record, report.baseline(record.device)),
        ):
            yield problem.under(nodeid)


def _as_elsewhere(tagger: TaggerInfo, first: TaggerInfo, why: str) -> Iterator[Problem]:
    ours = packaged() if tagger.name == _BUNDLED else {}
    for field in ("weights_sha256", "parameters"):
        found = getattr(tagger, field)
        yield from compare(f"tagger.{field}", getattr(first, field), found, why)
        if ours:
            yield from compare(f"tagger.{field}", ours[field], found, "the tagger that comes with leanner")


def _sizes(record: CaseRecord, baseline: CaseRecord | None) -> Iterator[Problem]:
    yield from megabytes(record)
    if record.flops is not None and baseline is not None and baseline.flops is not None:
        ratio = baseline.flops.theoretical / record.flops.theoretical
        yield from compare("flops.ratio", ratio, record.flops.ratio, "the baseline's operations over this case's")
    if record.sparsity is not None:
        asked = [step["sparsity"] for step in record.passes if step.get("sparsity") is not None]
        expected = asked[-1] if asked else None
        yield from compare("sparsity.asked", expected, record.sparsity.asked, "what the passes ask for")


def megabytes(record: CaseRecord) -> Iterator[Problem]:
    """Yield megabytes and numbers of weights that are not those by dtype; the places are within the record."""
    memory = record.memory
    if memory is not None and memory.weights_by_dtype_mb:
        total = sum(memory.weights_by_dtype_mb.values())
        yield from compare("memory.weights_mb", total, memory.weights_mb, "the sum of weights_by_dtype_mb")
        if memory.weights_parameters is not None and memory.weights_by_dtype_mb.keys() <= BYTES.keys():
            # Megabytes round in the sixteenth digit.
            numbers = round(_numbers_of(memory.weights_by_dtype_mb))
            where = "memory.weights_parameters"
            yield from compare(where, numbers, memory.weights_parameters, "the numbers that these bytes are")


def _numbers(record: CaseRecord, tagger: TaggerInfo) -> Iterator[Problem]:
    """Yield weights that are more or fewer numbers than the passes leave, unless one may have added some."""
    by_dtype = {} if record.memory is None else record.memory.weights_by_dtype_mb
    names = {step["name"] for step in record.passes}
    if not by_dtype or not by_dtype.keys() <= BYTES.keys() or names - _KEEPING - _REMOVING:
        return
    if not record.passes and tagger.name == _BUNDLED:
        expected = {"float32": tagger.parameters * BYTES["float32"] / 1e6}
        yield from compare("memory.weights_by_dtype_mb", expected, dict(by_dtype), "4 bytes for each parameter")
    numbers = _numbers_of(by_dtype)
    # Megabytes round in the sixteenth digit.
    if names & _REMOVING:
        holds, which = numbers < tagger.parameters - 0.5, "fewer numbers than"
    else:
        holds, which = abs(numbers - tagger.parameters) < 0.5, "as many numbers as"
    if not holds:
        text = f"expected the bytes of {which} the {tagger.parameters} parameters of the tagger; found those of"
        yield Problem("memory.weights_by_dtype_mb", f"{text} {numbers:.1f}")


def _numbers_of(by_dtype: Mapping[str, float]) -> float:
    return sum(1e6 * size_mb / BYTES[dtype] for dtype, size_mb in by_dtype.items())


def _zeros(record: CaseRecord, all_of_them: Iterable[CaseRecord]) -> Iterator[Problem]:
    """Yield a share of zeros that pruning cannot have left.

    It leaves what was asked for, or what was there before if that is more; of this there is no more than the least
    share found in any case, and none in the tagger that comes with leanner.
    """
    if record.sparsity is None or _PRUNING.isdisjoint(step["name"] for step in record.passes):
        return
    shares = [other.sparsity.weights for other in all_of_them if other.sparsity is not None]
    is_bundled = record.tagger is not None and record.tagger.name == _BUNDLED
    most = max(record.sparsity.asked, 0.0 if is_bundled else min(shares))
    more = _INT8_ZEROS if any(step["name"].startswith("int8") for step in record.passes) else _ZEROS
    if not record.sparsity.asked - _ZEROS <= record.sparsity.weights <= most + more:
        text = f"expected {record.sparsity.asked:g} of the weights to be zero, or a little more, as asked"
        yield Problem("sparsity.weights", f"{text}; found {record.sparsity.weights}")


def packaged() -> dict[str, Any]:
    """Return what the package says of the tagger that comes with it."""
    about: dict[str, Any] = json.loads((files("leanner") / "taggers" / "bundled" / "tagger.json").read_text("utf-8"))
    return about
