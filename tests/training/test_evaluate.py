from __future__ import annotations

import re

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

import pytest

import evaluate as module

from corpora.writers import Text
from corpora.writers import pubtator
from leanner.types import Document
from leanner.types import Label
from leanner.types import Span


if TYPE_CHECKING:
    from leanner.taggers.protocol import Prediction


TITLE = "Loss of p53 in mice."
TEXT = f"{TITLE} It is an oncogene. So is p63."


@dataclass
class FindsGenes:
    """Takes every p and two digits for a gene."""

    def tag(self, documents: Iterable[Document]) -> Iterator[Prediction]:
        """Yield them."""
        for document in documents:
            yield tuple(
                tuple(Span(*match.span(), Label.GENE) for match in re.finditer(r"p\d\d", sentence.text))
                for sentence in document.sentences
            )


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    gold = ((8, 11, "Gene"), (15, 19, "Species"))
    (tmp_path / "made-up.PubTator").write_text(pubtator([Text("1", TEXT, gold, len(TITLE))]))
    monkeypatch.setattr(module, "FILES", {"made up": "made-up.PubTator"})
    return tmp_path


def test_spans_are_those_of_the_document(corpora: Path) -> None:
    found = module.predicted_spans(cast("Any", FindsGenes()), corpora / "made-up.PubTator")

    assert found == {"1": {Span(8, 11, Label.GENE), Span(TEXT.index("p63"), TEXT.index("p63") + 3, Label.GENE)}}


def test_the_tagger_is_not_shown_the_gold_spans(corpora: Path) -> None:
    (document,) = module.texts(corpora / "made-up.PubTator")

    assert len(document.sentences) == 3
    assert all(sentence.spans == () for sentence in document.sentences)


def test_the_scores_of_a_file(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ((name, scores),) = module.on_files(cast("Any", FindsGenes()), corpora)

    assert name == "made up"
    assert scores["micro"] == pytest.approx(0.5)
    assert scores["GENE"] == pytest.approx(2 / 3)
    module.print_table(iter([(name, scores)]))
    assert "| made up | 0.5000 | 0.5000 | 0.5000 | 0.6667 |" in capsys.readouterr().out
