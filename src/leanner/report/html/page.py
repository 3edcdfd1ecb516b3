"""The page: sections in their order, one file with all its scripts and styles."""

from __future__ import annotations

import base64
import hashlib

from collections.abc import Mapping
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING
from typing import Any

from jinja2 import Environment
from jinja2 import PackageLoader
from jinja2 import StrictUndefined

from leanner.report.answer import NO_METER
from leanner.report.answer import answer
from leanner.report.html import front
from leanner.report.html import gains
from leanner.report.html import power
from leanner.report.html import remarks
from leanner.report.html import scores
from leanner.report.html import served
from leanner.report.html import spans
from leanner.report.html import table
from leanner.report.html import trend


if TYPE_CHECKING:
    from leanner.report.html.section import Section
    from leanner.report.record import CaseRecord
    from leanner.runs.run import Run


def page(runs: Sequence[Run], *, sentences: int = 6) -> str:
    """Return the report as HTML.

    Nothing is fetched, and the page's content security policy lets nothing be: of scripts, only those that are in it
    run, by their digests, so that text from a report would not run even where it was not escaped.

    Args:
        runs: At least one. The page is about the newest; the others are for the trend and, the one before it, the diff.
            The newest has its corpus where intervals and sentences are wanted.
        sentences: Of the corpus, for each case, at most.
    """
    ordered = sorted(runs, key=when)
    run, earlier = ordered[-1], ordered[-2] if len(ordered) > 1 else None
    records = run.records
    sections = [
        front.section(records),
        table.section(records),
        served.section(records),
        power.section(run),
        scores.section(run),
        gains.section(records),
        spans.section(run, earlier, sentences),
        trend.section(ordered, run),
        remarks.section(run),
    ]
    scripts = [_plotly(), _text("page.js")]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            answer=_answer(list(run.report.cases.values())),
            run=_head(run),
            sections=sections,
            figures=_figures(sections),
            style=_text("page.css"),
            scripts=scripts,
            policy=_policy(scripts),
            version=version("leanner"),
        )
    )


def _answer(records: Sequence[CaseRecord]) -> tuple[str, str]:
    """Return the sentence, and the reason at its end for which there are no joules; empty if there are."""
    sentence, sign, reason = answer(records).partition(NO_METER)
    return sentence + sign.removesuffix(": "), reason


def when(run: Run) -> str:
    """Return when a run ended: UTC in ISO 8601, so that texts sort as times."""
    return str(run.report.data.get("datetime", ""))


def _head(run: Run) -> dict[str, Any]:
    measured = run.measured
    first = measured[0] if measured else None
    return {
        "name": run.path.name,
        "when": when(run)[:16].replace("T", " "),
        "label": trend.label_of(run),
        "tagger": first.tagger.name if first and first.tagger else None,
        "corpus": first.corpus if first else None,
        "device": first.device if first else None,
        "cpu": (first.environment.get("gpu") or first.environment.get("cpu")) if first else None,
        "cases": len(run.report.cases),
        "measured": len(measured),
    }


def _figures(sections: Sequence[Section]) -> Mapping[str, Any]:
    return {name: figure for section in sections for name, figure in section.figures.items()}


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("leanner.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _plotly() -> str:
    # takes a while, and only a page needs it
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    script: str = get_plotlyjs()
    return script


def _text(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(scripts: Sequence[str]) -> str:
    """Return the content security policy; a script is its exact text between the tags.

    Raises:
        ValueError: A script would end its own element.
    """
    for script in scripts:
        if "</script" in script.lower() or "<!--" in script:
            raise ValueError("expected scripts that can stand in HTML, found one with </script or <!--")
    digests = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
