"""The five corpora as their owners give them, where LEANNER_CORPORA has them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from typing import TYPE_CHECKING

import pytest

from leanner.corpora.load import load_corpus


if TYPE_CHECKING:
    from leanner.corpora.merge import MergedCorpus


pytestmark = pytest.mark.skipif(
    not os.environ.get("LEANNER_CORPORA"), reason="LEANNER_CORPORA does not name a folder of real corpora"
)


@pytest.fixture(scope="module")
def corpus() -> MergedCorpus:
    return load_corpus()


#: In a process of its own: this one has read and loaded other things. Its own peak is VmHWM: what
#: getrusage tells begins with the peak of the process that started it.
READ = """
from pathlib import Path
from leanner.corpora.load import load_corpus
documents = load_corpus().statistics().total.documents
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(documents, status["VmHWM"].split()[0])
"""


def test_everything_is_read_in_a_minute_and_a_gigabyte() -> None:
    began = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    assert time.perf_counter() - began < 60
    documents, peak_kb = map(int, result.stdout.split())
    assert documents > 0
    assert peak_kb < 1e6


def test_nothing_is_dropped_silently(corpus: MergedCorpus) -> None:
    variome = corpus.statistics().corpora.get("variome")
    if variome is None:
        pytest.skip("LEANNER_CORPORA has no Variome")

    def annotated(label: str) -> int:
        return sum(
            table.get(label, 0) for table in (variome.mentions, variome.overlapping, variome.repeated, variome.outside)
        )

    assert (annotated("GENE"), annotated("DISEASE")) == (1_086, 2_053)
    assert variome.as_json()["mentions"]["SPECIES"] is None  # type: ignore[index]


def test_captions_of_both_bioid_and_sourcedata_are_counted_once(corpus: MergedCorpus) -> None:
    corpora = corpus.statistics().corpora
    if not {"bioid", "sourcedata"} <= set(corpora):
        pytest.skip("LEANNER_CORPORA does not have both Bio-ID and SourceData")
    texts = {"bioid": set[str](), "sourcedata": set[str]()}
    for document in corpus:
        if document.corpus in texts:
            text = "".join("".join(sentence.text for sentence in document.sentences).split())
            texts[document.corpus].add(text)
    assert corpora["sourcedata"].duplicates > 0
    assert not texts["bioid"] & texts["sourcedata"] - {""}


def test_sample_has_the_size_asked_for(corpus: MergedCorpus) -> None:
    total = corpus.statistics().total.sentences
    sample = load_corpus(sentences=total // 10, seed=1)
    statistics = sample.statistics()
    assert set(statistics.corpora) == set(corpus.corpora)
    assert all(each.documents for each in statistics.corpora.values())
    assert total // 10 <= statistics.total.sentences < total // 10 + 2_000
