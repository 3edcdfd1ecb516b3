from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest

from leanner.check.text import load_text
from leanner.corpora.native import CorpusError
from leanner.measure.subject import load_subject
from measure.fakes import options


if TYPE_CHECKING:
    from pathlib import Path

    from check.reports import Run


def asked(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any option
    """Return the options that decide the text."""
    return {"corpora": [], "sentences": None, "seed": 0, "on_bad_document": "error", "round_sentences": 0, **changes}


@pytest.mark.parametrize("given", [(), ("bundled",)])
@pytest.mark.parametrize("sample", [{"round_sentences": 9}, {"sentences": 60, "seed": 3}])
def test_it_is_the_text_that_a_run_was_on(given: tuple[str, ...], sample: dict[str, Any]) -> None:
    subject = load_subject(options(corpora=given, **sample))

    text = load_text(asked(corpora=list(given), **sample), (), ("/of/other/runs",))

    assert text.info == subject.info
    assert text.documents == subject.documents
    assert text.timed == subject.timed
    assert text.info.name == "bundled"


def test_where_it_lies_is_what_the_user_says_then_the_environment_then_the_report(run: Run, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    for corpora, environment, of_the_run in (
        ((run.corpora,), (nowhere,), nowhere),
        ((), (run.corpora,), nowhere),
        ((), (), run.corpora),
        ((run.corpora,), (nowhere,), "bundled"),
    ):
        assert load_text(asked(corpora=[of_the_run]), corpora, environment).info.name == "tmvar"
    with pytest.raises(CorpusError):
        load_text(asked(corpora=[run.corpora]), (), (nowhere,))
