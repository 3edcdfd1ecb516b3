from __future__ import annotations

import json

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from corpora.synthetic import ALL
from corpora.synthetic import native
from leanner.corpora.resolve import resolve
from leanner.corpora.tally import CorpusStatistics
from leanner.corpora.tally import Tally
from leanner.types import Label


_CORPORA = st.sampled_from(["bioid", "tmvar"])
_ADDED = st.lists(st.tuples(_CORPORA, st.integers(0, 4), st.integers(0, 5)), max_size=20)


@given(_ADDED)
def test_total_is_the_sum_of_the_corpora(added: list[tuple[str, int, int]]) -> None:
    tally = Tally(["bioid", "tmvar"], {})
    mentions: Counter[str] = Counter()
    articles = set()
    for corpus, article, genes in added:
        text = "TP53 and " * genes
        document = native(text, *((9 * n, 9 * n + 4, Label.GENE) for n in range(genes)), article=str(article))
        tally.document(*resolve(document, corpus), [("GO", genes)])
        mentions[corpus] += genes
        articles.add((corpus, article))
    statistics = tally.statistics()
    assert statistics.total.documents == len(added)
    assert statistics.total.articles == len(articles)
    assert sum(statistics.total.mentions.values()) == sum(mentions.values())
    assert {name: sum(each.mentions.values()) for name, each in statistics.corpora.items()} == {
        "bioid": mentions["bioid"],
        "tmvar": mentions["tmvar"],
    }


def test_label_that_nobody_annotates_is_unknown() -> None:
    tally = Tally(["bioid"], {})
    tally.document(*resolve(native("A mouse.", labels=frozenset({Label.GENE})), "bioid"), [])
    assert tally.statistics().total.as_json()["mentions"] == {"GENE": 0, "SPECIES": None, "DISEASE": None}
    tally.document(*resolve(native("A mouse.", labels=ALL, name="2"), "bioid"), [])
    assert tally.statistics().total.as_json()["mentions"] == {"GENE": 0, "SPECIES": 0, "DISEASE": 0}


def test_words_are_counted_by_the_one_definition() -> None:
    tally = Tally(["bioid"], {})
    tally.document(*resolve(native("MLH1/MSH2-deficient mice."), "bioid"), [])
    assert tally.statistics().total.words == 7


def test_statistics_are_json() -> None:
    assert json.loads(json.dumps(CorpusStatistics().as_json()))["documents"] == 0
