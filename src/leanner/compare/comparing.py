"""Two runs, or several of each, compared case by case and metric by metric."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

import numpy as np

from leanner.compare.comparison import CannotCompareError
from leanner.compare.comparison import Case
from leanner.compare.comparison import Change
from leanner.compare.comparison import Comparison
from leanner.compare.comparison import Key
from leanner.compare.comparison import Session
from leanner.compare.comparison import Stored
from leanner.compare.conditions import differences
from leanner.compare.conditions import has_result
from leanner.compare.conditions import no_baseline
from leanner.compare.conditions import remarks
from leanner.compare.evidence import Basis
from leanner.compare.evidence import CaseSpread
from leanner.compare.evidence import Evidence
from leanner.compare.evidence import of_costs
from leanner.compare.holm import holm
from leanner.compare.metrics import METRICS
from leanner.compare.metrics import is_estimated
from leanner.compare.outcome import Outcome
from leanner.compare.outcome import decide
from leanner.compare.outcome import outlook
from leanner.compare.quality import F1Changes
from leanner.compare.spread import spread
from leanner.configurations import CONTROL


if TYPE_CHECKING:
    from leanner.compare.metrics import Metric
    from leanner.compare.thresholds import Gates
    from leanner.compare.thresholds import Threshold
    from leanner.report.record import CaseRecord
    from leanner.types import Document


#: Metrics that tell where they come from.
_JOULES: Final = ("energy", "marginal", "estimate")
_ESTIMATED: Final = "its joules are estimated, which the metric estimate compares"


def compare(
    before: Sequence[Session],
    after: Sequence[Session],
    gates: Gates,
    documents: Callable[[], Sequence[Document]],
    *,
    stored: Sequence[Stored] = (),
    across_machines: bool = False,
    marks: Sequence[str] = (),
) -> Comparison:
    """Compare two sides.

    Args:
        before: Sessions of the baseline, the accepted one first: F1 and weights are held against that.
        after: Sessions to compare with them, the latest last, whose F1 and weights count.
        gates: What is gated.
        documents: See ``F1Changes``.
        stored: Sessions that tell how much sessions differ; those under other conditions, and those of ``after``, are
            left out.
        across_machines: Whether to compare what differs in machine, corpus or tagger.
        marks: What is to be said of all of it, besides what is found here.

    Raises:
        CannotCompareError: The two differ in what they must share.
    """
    said = [*marks, *_conditions(before, after, across_machines=across_machines)]
    across = any(differences(old.report, new.report) for old in before for new in after)
    cases, pairs = _pairs(before, after)
    # what is said of other cases does not depend on whether the control was measured
    between = {} if across else _between(stored, after, [key for key in pairs if key[0] != CONTROL])
    found = list(_evidence(pairs, between, F1Changes(documents), gates, said))
    said += _replaced(before, pairs)
    # the control measures the gates and is not gated
    thresholds = [None if key[0] == CONTROL else gates.of(key[0], metric) for key, metric, _, _ in found]
    p = np.array(
        [
            np.nan if evidence is None or evidence.p is None or threshold is None else evidence.p
            for (_, _, evidence, _), threshold in zip(found, thresholds, strict=True)
        ]
    )
    adjusted, tests = holm(p), int(np.isfinite(p).sum())
    changes = tuple(
        _change(each, threshold, None if np.isnan(value) else float(value), tests)
        for each, threshold, value in zip(found, thresholds, adjusted, strict=True)
    )
    if any(c.evidence is not None and c.evidence.basis is Basis.WITHIN and c.threshold is not None for c in changes):
        said.append(
            "within-session only: too few sessions of this machine are stored to know how much they differ, so that "
            "what one session differs from another by may pass for a change"
        )
    known = {key[0] for key in pairs} | {case.configuration for case in cases}
    said += [f"gates for {name}: no such case in either run" for name in gates.configurations if name not in known]
    names = [tuple(session.name for session in side) for side in (before, after)]
    return Comparison(names[0], names[1], changes, tuple(cases), tuple(dict.fromkeys(said)), tests)


def _conditions(before: Sequence[Session], after: Sequence[Session], *, across_machines: bool) -> list[str]:
    unlike = list(dict.fromkeys(d for old in before for new in after for d in differences(old.report, new.report)))
    other = list(dict.fromkeys(d for old in before for new in after for d in remarks(old.report, new.report)))
    if unlike and not across_machines:
        raise CannotCompareError(
            f"expected two runs under the same conditions, found {'; '.join(unlike)}; measure both alike, or pass "
            "--across-machines to compare all the same"
        )
    marks = [f"across machines: {each}" for each in unlike]
    return marks + [f"differs: {each}" for each in other]


_Pair = tuple[list[tuple[Session, "CaseRecord"]], list[tuple[Session, "CaseRecord"]]]


def _pairs(before: Sequence[Session], after: Sequence[Session]) -> tuple[list[Case], dict[Key, _Pair]]:
    """Return the cases that stand alone, and those that have a baseline with the records of both sides."""
    cases: list[Case] = []
    pairs: dict[Key, _Pair] = {}
    olds, news = ([(session, session.cases) for session in side] for side in (before, after))
    for key in dict.fromkeys(key for _, each in (*news, *olds) for key in each):
        old = [(session, each[key]) for session, each in olds if key in each]
        new = [(session, each[key]) for session, each in news if key in each and has_result(each[key])]
        usable = [(session, record) for session, record in old if no_baseline(record) is None]
        if new and usable:
            pairs[key] = usable, new
        elif new:
            reason = no_baseline(old[-1][1]) if old else None
            cases.append(Case(*key, Outcome.NEW, reason or "the baseline has no such case"))
        elif key[0] != CONTROL and any(has_result(record) for _, record in old):
            cases.append(Case(*key, Outcome.REMOVED, _why_gone(key, after)))
    return cases, pairs


def _why_gone(key: Key, after: Sequence[Session]) -> str:
    record = after[-1].cases.get(key)
    if record is None:
        selection = after[-1].report.selection
        narrowed = " ".join([f"-k '{selection.keyword}'"] if selection.keyword else [])
        return "the new run has no such case" + (f"; it was run with {narrowed}" if narrowed else "")
    return f"it is {record.verdict} in the new run: {'; '.join(record.reasons) or 'no reason given'}"


_Found = tuple[Key, "Metric", Evidence | None, str]


def _evidence(
    pairs: Mapping[Key, _Pair],
    between: Mapping[tuple[Key, str], CaseSpread],
    f1: F1Changes,
    gates: Gates,
    marks: list[str],
) -> list[_Found]:
    """Return for each case and metric what speaks for a change, or why nothing does, and mark what is left out."""
    found: list[_Found] = []
    for key, (olds, news) in pairs.items():
        for metric in METRICS:
            sides = [[(s, r) for s, r in side if metric.value(r) is not None] for side in (olds, news)]
            if not any(sides):
                estimated = any(is_estimated(record) for _, record in (*olds, *news))
                if metric.name in _JOULES and estimated and gates.of(key[0], metric) is not None:
                    # a gate that estimates pass by is told to have judged nothing
                    found.append((key, metric, None, f"unknown in both: {_ESTIMATED}"))
                continue
            if all(sides) and metric.name in _JOULES:
                sides, left_out = _of_one_source(sides[0], sides[1])
                marks += [f"{key[0]}, {metric.name}: {each}" for each in left_out]
            if metric.name in _JOULES and not sides[0] and (reason := _other_sources(metric, olds, sides[1])):
                found.append((key, metric, None, reason))
            elif not all(sides):
                missing, record = ("baseline", olds[-1][1]) if not sides[0] else ("new run", news[-1][1])
                found.append((key, metric, None, f"unknown in the {missing}: {metric.why_unknown(record)}"))
            elif metric.is_cost:
                records = [[record for _, record in side] for side in sides]
                reason = _no_cost(metric, records[1])
                evidence = of_costs(metric, records[0], records[1], between.get((key, metric.name)))
                found.append((key, metric, None if reason else evidence, reason))
            else:
                # Of the baseline, the session that was accepted: many small losses are then a large one.
                (first, old), (last, new) = sides[0][0], sides[1][-1]
                found.append((key, metric, f1.evidence(metric, (first.report, old), (last.report, new)), ""))
    return found


_Side = list[tuple[Session, "CaseRecord"]]


def _of_one_source(before: _Side, after: _Side) -> tuple[list[_Side], list[str]]:
    """Return the sessions whose joules are of the sources of the latest new one, and in words what is left out."""
    wanted = _source(after[-1][1])
    kept = [[pair for pair in side if _source(pair[1]) == wanted] for side in (before, after)]
    sources = (_source(record) for _, record in (*before, *after))
    others = dict.fromkeys(source for source in sources if source != wanted)
    said = [f"joules of {other} are left out, as those of the new run are {wanted}" for other in others]
    return kept, said


def _other_sources(metric: Metric, before: _Side, after: _Side) -> str:
    """Return that the baseline has joules, but none of the new run's sources; empty if it has none at all."""
    found = {_source(record) for _, record in before if metric.value(record) is not None}
    return f"joules of different sources: {' and '.join(sorted({*found, _source(after[-1][1])}))}" if found else ""


def _source(record: CaseRecord) -> str:
    """Return where joules come from, in words."""
    if record.energy is None:
        return "unknown"
    return "+".join(record.energy.sources) + (", replayed" if record.energy.replayed else "")


def _replaced(before: Sequence[Session], pairs: Mapping[Key, _Pair]) -> list[str]:
    """Return for which cases the first session of the baseline has none to hold against, and which stands for it."""
    said = []
    for key, (olds, _) in pairs.items():
        if olds[0][0] is not before[0] and key[0] != CONTROL:
            record = before[0].cases.get(key)
            reason = "it has no such case" if record is None else no_baseline(record)
            said.append(
                f"{key[0]}: F1 and weights are held against {olds[0][0].name}, not against the accepted "
                f"{before[0].name}: {reason}"
            )
    return said


def _no_cost(metric: Metric, after: Sequence[CaseRecord]) -> str:
    """Return why a cost is not compared; empty if it is."""
    if metric.name == "weights":
        return ""
    if suspect := [record for record in after if record.suspect]:
        return "it is suspect in the new run: " + ("; ".join(suspect[-1].quality) or "no reason given")
    if metric.name in _JOULES and after[-1].energy is not None and after[-1].energy.replayed:
        return "its joules were replayed, not measured"
    return ""


def _between(
    stored: Sequence[Stored], after: Sequence[Session], keys: Sequence[Key]
) -> dict[tuple[Key, str], CaseSpread]:
    """Return the spread between sessions of each case and metric that was stored often enough to have one."""
    alike = [
        each
        for each in stored
        if not any(each.session.is_of(session) for session in after)
        and not differences(each.session.report, after[-1].report)
    ]
    found = {}
    if not alike or not keys:
        return {}
    cases = [each.session.cases for each in alike]
    levels = [each.level for each in alike]
    for metric in METRICS:
        if not metric.is_cost:
            continue
        new = {key: after[-1].cases.get(key) for key in keys}
        values = np.array([[_log(metric, each.get(key), new[key]) for each in cases] for key in keys])
        between = spread(values, levels)
        for number, key in enumerate(keys):
            found[key, metric.name] = CaseSpread(
                float(between.variance[number]), float(between.freedom[number]), int(between.sessions[number])
            )
    return found


def _log(metric: Metric, record: CaseRecord | None, new: CaseRecord | None) -> float:
    if record is None or no_baseline(record) is not None:
        return np.nan
    if metric.name in _JOULES and new is not None and _source(record) != _source(new):
        return np.nan
    value = metric.logarithm(record)
    return np.nan if value is None else value


def _change(found: _Found, threshold: Threshold | None, adjusted: float | None, tests: int) -> Change:
    (configuration, device), metric, evidence, note = found
    if evidence is None:
        outcome = Outcome.NOT_GATED if threshold is None else Outcome.INCONCLUSIVE
    else:
        outcome = decide(evidence, adjusted, threshold)
        if threshold is not None and outcome is Outcome.INCONCLUSIVE:
            note = outlook(evidence, threshold, tests)
    return Change(configuration, device, metric, evidence, threshold, adjusted, outcome, note)
