"""The table of a run in LaTeX, with booktabs' rules and the intervals."""

from __future__ import annotations

import re

from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Final

from leanner.report.columns import reason_of
from leanner.report.numbers import number
from leanner.report.numbers import three_digits
from leanner.report.pareto import HOST
from leanner.report.pareto import JOULES
from leanner.report.pareto import LOSS
from leanner.report.pareto import TIME
from leanner.report.pareto import VRAM
from leanner.report.table import title


if TYPE_CHECKING:
    from leanner.report.record import CaseRecord

_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{character: f"\\{character}" for character in "{}$&#_%"},
}

_HEADINGS: Final = (
    "Configuration",
    r"F\textsubscript{1}",
    r"loss, pt",
    "s/1,000 sent.",
    r"$\times$ faster",
    "J/1,000 sent.",
    "peak MB",
    "weights MB",
)


def as_latex(records: Sequence[CaseRecord]) -> str:
    r"""Return a ``tabular`` of the measured cases, and below it the cases that were not measured and why values lack.

    Brackets hold 95 % intervals. It takes ``\usepackage{booktabs}``.
    """
    notes: list[str] = []
    measured = [record for record in records if record.f1 is not None]
    lines = [
        r"% \usepackage{booktabs}; brackets are 95 % intervals",
        rf"\begin{{tabular}}{{l{'r' * (len(_HEADINGS) - 1)}}}",
        r"\toprule",
        " & ".join(_HEADINGS) + r" \\",
        r"\midrule",
        *(" & ".join(_cells(record, notes)) + r" \\" for record in measured),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    lines += [rf"\par\footnotesize\textsuperscript{{{_letter(n)}}}~{escape(note)}" for n, note in enumerate(notes)]
    for record in records:
        if record.f1 is None:
            why = "; ".join(record.reasons) or "the report does not say why"
            lines.append(rf"\par\footnotesize {escape(title(record))}: {escape(f'{record.verdict}, {why}')}")
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Return text that TeX prints as it is, on one line."""
    escaped = "".join(_SPECIAL.get(character, character) for character in text)
    return re.sub(r"\s+", " ", escaped).strip()


def _cells(record: CaseRecord, notes: list[str]) -> list[str]:
    micro = record.f1.get("micro") if record.f1 else None
    speedup = record.speedup
    memory = VRAM if record.device.startswith("cuda") else HOST
    weights = record.memory.weights_mb if record.memory else None
    estimated = r"$\sim$" if record.energy is not None and "estimate" in record.energy.sources else ""
    known = _known(record, notes)
    return [
        escape(title(record)),
        known("f1", micro, None, ".4f"),
        known("f1_drop", LOSS.value(record), LOSS.interval(record), ".2f"),
        known("time", TIME.value(record), TIME.interval(record), three_digits(TIME.value(record))),
        known("speedup", speedup.value if speedup else None, (speedup.low, speedup.high) if speedup else None, ".2f"),
        (estimated if JOULES.value(record) is not None else "")
        + known("energy", JOULES.value(record), JOULES.interval(record), three_digits(JOULES.value(record))),
        known(memory.field, memory.value(record), None, ".0f"),
        known("memory.weights_mb", weights, None, ".1f"),
    ]


def _known(record: CaseRecord, notes: list[str]) -> Callable[[str, float | None, tuple[float, float] | None, str], str]:
    """Return what writes a number with its interval; a dash and a note where it is unknown."""

    def write(field: str, value: float | None, interval: tuple[float, float] | None, form: str) -> str:
        if value is None:
            reason = reason_of(record, field) or "the report does not say why"
            if reason not in notes:
                notes.append(reason)
            return rf"--\textsuperscript{{{_letter(notes.index(reason))}}}"
        if interval is None:
            return f"${number(value, form)}$"
        return f"${number(value, form)}$ [${number(interval[0], form)}$, ${number(interval[1], form)}$]"

    return write


def _letter(number: int) -> str:
    """Return a, b, …, z, aa, ab, …."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
