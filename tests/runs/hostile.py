"""A run whose every text wants to be markup."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.runs.run import Run


if TYPE_CHECKING:
    from collections.abc import Mapping

    from leanner.report.record import CaseRecord

#: To HTML, attributes, plotly, jinja, matplotlib and a JSON in a script.
HOSTILE: Final = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;b&gt;{{7*7}}$x^2$%{x}</title>\u2028<!--"


def hostile(run: Run) -> Run:
    """Return the run with markup in every text: names, reasons, notes, the corpus, and what was tagged."""
    names = {record.configuration: f"{HOSTILE} {record.configuration}" for record in run.records if record.passes}
    cases = {f"{HOSTILE}{node}": _case(record, names) for node, record in run.report.cases.items()}
    assert run.documents is not None
    documents = tuple(
        replace(
            document,
            corpus=HOSTILE,
            id=HOSTILE + document.id,
            sentences=tuple(replace(s, text=s.text + HOSTILE) for s in document.sentences),
        )
        for document in run.documents
    )
    predictions = {}
    for record in run.measured:
        found = run.predictions(record)
        tagged = tuple(replace(t, corpus=HOSTILE, document=HOSTILE + t.document) for t in found.documents)
        configuration = names.get(record.configuration, record.configuration)
        predictions[record.files["predictions"]["path"]] = replace(found, configuration=configuration, documents=tagged)
    data = {**run.report.data, "commit_info": {"id": HOSTILE, "dirty": True}, "datetime": "2026-01-01T00:00"}
    data["leanner"] = {**data["leanner"], "repaired": [HOSTILE], "resumed": [HOSTILE]}
    report = replace(
        run.report,
        path=run.path.with_name(HOSTILE.replace("/", "|")),
        data=data,
        cases=cases,
        options={**run.report.options, HOSTILE: HOSTILE},
    )
    return Run(report, documents, None, predictions)


def _case(record: CaseRecord, names: Mapping[str, str]) -> CaseRecord:
    changes: dict[str, Any] = {
        "configuration": names.get(record.configuration, record.configuration),
        "reasons": (HOSTILE, *record.reasons),
        "quality": (HOSTILE,),
        "environment": {**record.environment, HOSTILE: HOSTILE},
        "unknown": {place: f"{HOSTILE}{why}" for place, why in record.unknown.items()} | {HOSTILE: HOSTILE},
    }
    if record.f1 is not None and record.tagger is not None:
        by_corpus = dict(zip([HOSTILE], record.f1["by_corpus"].values(), strict=True))
        changes["f1"] = {**record.f1, "by_corpus": by_corpus}
        changes["tagger"] = replace(record.tagger, name=HOSTILE)
    if record.corpus is not None:
        changes["corpus"] = replace(record.corpus, name=HOSTILE)
    return replace(record, **changes)
