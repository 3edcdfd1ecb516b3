"""Whether the joules of a case add up, by other arithmetic than the traces', and whether estimates are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Final

from leanner.check.compare import compare
from leanner.measure.joules import MIXED
from leanner.meters.reading import ADDED
from leanner.report.problem import Problem


if TYPE_CHECKING:
    from leanner.check.report import Report
    from leanner.report.costs import Energy
    from leanner.report.record import CaseRecord


_ESTIMATE: Final = "estimate"


def problems(report: Report) -> Iterator[Problem]:
    """Yield what does not add up."""
    asked = report.options["energy"]
    for nodeid, record in report.measured.items():
        energy = record.energy
        if energy is None:
            continue
        for problem in (*_sums(record, energy), *_estimates(record, energy, asked)):
            yield problem.under(nodeid)


def _sums(record: CaseRecord, energy: Energy) -> Iterator[Problem]:
    windows = energy.rounds_j
    known = [joules for joules in windows if joules is not None]
    mixed = any((energy.domains[name].reason or "").startswith(MIXED) for name in ADDED if name in energy.domains)
    total = sum(known) if known and len(known) == len(windows) and not mixed else None
    yield from compare("energy.total_j", total, energy.total_j, "the sum of rounds_j")
    parts = [energy.domains[name].j for name in ADDED if name in energy.domains]
    if energy.total_j is not None:
        by_domain = sum(joules for joules in parts if joules is not None)
        yield from compare("energy.total_j", by_domain, energy.total_j, f"the sum of {', '.join(ADDED)}")
    if record.time is not None:
        rounds = len(windows) * energy.rounds_per_window
        tagged = record.time.sentences * rounds
        per_1000 = None if energy.total_j is None or not tagged else 1000 * energy.total_j / tagged
        why = f"1,000 times the total over the sentences of {rounds} rounds"
        yield from compare("energy.per_1000_sentences_j", per_1000, energy.per_1000_sentences_j, why)


def _estimates(record: CaseRecord, energy: Energy, asked: str) -> Iterator[Problem]:
    estimated = [name for name, domain in energy.domains.items() if domain.source == _ESTIMATE]
    marked = any(_ESTIMATE in note for note in record.quality)
    if estimated and not marked:
        yield Problem("quality", f"expected a note that {', '.join(estimated)} is an estimate, found none")
    if estimated and asked != _ESTIMATE and not energy.replayed:
        place = f"energy.{estimated[0]}.source"
        yield Problem(place, f"expected no estimate, since --leanner-energy={asked} asks for none; found one")
    package = energy.domains.get("cpu_package")
    # An estimate that failed in one window is unknown over all, and noted for the others.
    if marked and not estimated and (package is None or package.j is not None):
        yield Problem("energy", "expected an estimated domain, since quality notes an estimate; found none")
    sources = {energy.domains[name].source for name in ADDED if name in energy.domains} - {"none"}
    if _ESTIMATE in sources and len(sources) > 1 and energy.total_j is not None:
        found = ", ".join(sorted(sources))
        yield Problem(
            "energy.total_j", f"expected null: estimated joules are not added to measured ones; found {found}"
        )
