from __future__ import annotations

import subprocess
import sys

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import cast

import flair
import pytest
import torch

from flair.data import Sentence
from flair.data import Token
from flair.models import SequenceTagger
from flair.models import prefixed_tagger
from flair.models.prefixed_tagger import PrefixedSentence
from flair.nn import Classifier
from flair.tokenization import SegtokTokenizer
from flair.tokenization import SpaceTokenizer
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import leanner

from leanner import lean
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.errors import TaggerError
from leanner.taggers.flair import FlairTagger
from leanner.taggers.lean import support
from leanner.taggers.lean.predict import LeanPredictor
from leanner.taggers.load import load_model
from leanner.taggers.load import load_tagger


TEXTS = (
    "Loss of PTEN is common in glioma.",
    "Mouse p53 suppresses tumours; it isn't rare.",
    "   ",
    "We gave 5 mg\u200b to Danio rerio at 20 °C.",
    "Sjo\u0308gren’s syndrome 😀 and siGli1.",
    "😀",
    "",
    "IL-6 rose (Fig. 2a).",
    "MLH1 deficiency " * 300,
    "A" * 700,
)

Found = list[tuple[int, int, str, str, str]]


def made(texts: tuple[str, ...] = TEXTS, tokenizer: Any = True) -> list[Sentence]:  # noqa: ANN401, FBT002 - Flair's
    return [Sentence(text, use_tokenizer=tokenizer) for text in texts]


def labels(sentence: Sentence) -> Found:
    """All labels with the tokens that have them, of whatever type, in Flair's order."""
    return [
        (
            label.data_point.tokens[0].idx if hasattr(label.data_point, "tokens") else label.data_point.idx,
            len(label.data_point),
            label.data_point.text,
            kind,
            label.value,
        )
        for kind in sorted(sentence.annotation_layers)
        for label in sentence.get_labels(kind)
    ]


def scores(sentence: Sentence) -> list[float]:
    return [label.score for kind in sorted(sentence.annotation_layers) for label in sentence.get_labels(kind)]


def compare(
    model: SequenceTagger,
    make: Callable[[], list[Sentence]],
    *,
    options: Mapping[str, Any] | None = None,
    limits: Mapping[str, int] | None = None,
) -> list[Sentence]:
    """Predict by both; return the lean runtime's sentences."""
    expected, found = make(), make()
    model.predict(expected, **(options or {}))
    lean(model, **(limits or {})).predict(found, **(options or {}))
    assert [labels(sentence) for sentence in found] == [labels(sentence) for sentence in expected]
    assert [[(span.unlabeled_identifier, span.tag) for span in sentence.get_spans()] for sentence in found] == [
        [(span.unlabeled_identifier, span.tag) for span in sentence.get_spans()] for sentence in expected
    ]
    for ours, flairs in zip(found, expected, strict=True):
        assert scores(ours) == pytest.approx(scores(flairs), abs=1e-5)
    return found


@pytest.fixture
def shaped(shaped_file: Path) -> SequenceTagger:
    return load_model(str(shaped_file))


@pytest.fixture
def plain(shaped_file: Path) -> SequenceTagger:
    """The same without a prompt: its context is what Flair has linked a sentence to."""
    state = torch.load(shaped_file, weights_only=False)
    for key in ("__cls__", "augmentation_strategy"):
        del state[key]
    return SequenceTagger.load(state)


@pytest.fixture(scope="module")
def bundled() -> SequenceTagger:
    return cast("SequenceTagger", load_tagger("bundled").model)


@pytest.mark.parametrize("tokenizer", [SegtokTokenizer(), SpaceTokenizer()], ids=["segtok", "space"])
def test_the_bundled_tagger_leaves_flairs_labels(bundled: SequenceTagger, tokenizer: object) -> None:
    found = compare(bundled, lambda: made(tokenizer=tokenizer))
    assert [label.value for label in found[0].get_labels("ner")] == ["GENE", "DISEASE"]


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("context", [0, 5, 64])
@pytest.mark.parametrize("kind", ["shaped", "plain"])
def test_so_do_taggers_with_context(pooling: str, context: int, kind: str, request: pytest.FixtureRequest) -> None:
    model: Any = request.getfixturevalue(kind)
    model.embeddings.subtoken_pooling, model.embeddings.context_length = pooling, context
    found = compare(model, made)
    assert sum(len(labels(sentence)) for sentence in found) > 20


@pytest.mark.parametrize("kind", ["shaped", "plain"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(texts=st.lists(st.text(st.sampled_from("aB1 -’\n\t😀é\u0308(\u00ad"), max_size=12), max_size=4))
def test_whatever_the_text(kind: str, texts: list[str], request: pytest.FixtureRequest) -> None:
    compare(request.getfixturevalue(kind), lambda: made(tuple(texts)))


@pytest.mark.parametrize("kind", ["shaped", "plain"])
def test_words_may_be_given_and_may_be_invisible(kind: str, request: pytest.FixtureRequest) -> None:
    words = (["p53", "\u200b", "of mice", "\u0308"], ["\u200b"], ["IL", "-", "6"])
    compare(request.getfixturevalue(kind), lambda: [Sentence(list(each)) for each in words])
    compare(request.getfixturevalue(kind), lambda: [Sentence([Token(word) for word in each]) for each in words])


@pytest.mark.parametrize("limits", [{"batch_tokens": 1}, {"batch_tokens": 97}, {"chunk_sentences": 1}])
@pytest.mark.parametrize("kind", ["shaped", "plain"])
def test_batches_and_chunks_change_nothing(kind: str, limits: dict[str, int], request: pytest.FixtureRequest) -> None:
    compare(request.getfixturevalue(kind), made, limits=limits)


@pytest.mark.parametrize("boundaries", [True, False])
def test_context_ends_where_flair_ends_it(plain: Any, boundaries: bool) -> None:  # noqa: ANN401, FBT001
    plain.embeddings.respect_document_boundaries = boundaries

    def make() -> list[Sentence]:
        sentences = made()
        sentences[3].is_document_boundary = sentences[6].is_document_boundary = True
        return sentences

    compare(plain, make)


@pytest.mark.parametrize("kind", ["shaped", "plain"])
def test_sentences_that_were_linked_before_keep_their_neighbours(kind: str, request: pytest.FixtureRequest) -> None:
    def make() -> list[Sentence]:
        sentences = made()
        Sentence.set_context_for_sentences(sentences)
        return [sentences[4], *made(TEXTS[:2]), sentences[1]]

    compare(request.getfixturevalue(kind), make)


def test_they_are_linked_as_flair_links_them(plain: SequenceTagger) -> None:
    # What is predicted next depends on it.
    expected, found = made(), made()
    plain.predict(expected)
    lean(plain).predict(found)
    for one in (1, 4, 8):
        plain.predict(expected[one])
        lean(plain).predict(found[one])
    assert [labels(sentence) for sentence in found] == [labels(sentence) for sentence in expected]


def test_one_sentence_alone(shaped: SequenceTagger) -> None:
    expected, found = Sentence(TEXTS[1]), Sentence(TEXTS[1])
    shaped.predict(expected)
    assert lean(shaped).predict(found) is None  # type: ignore[func-returns-value]
    assert labels(found) == labels(expected) != []


def test_nothing_and_empty_sentences(shaped: SequenceTagger, plain: SequenceTagger) -> None:
    for model in (shaped, plain):
        lean(model).predict([])
        blank = [Sentence("   "), Sentence("")]
        lean(model).predict(blank)
        lean(model).predict(blank[1])
        assert [sentence.labels for sentence in blank] == [[], []]
        found = made()
        lean(model).predict(iter(found))
        assert labels(found[0])


@pytest.mark.parametrize("name", [None, "ner", "mine", "other"])
@pytest.mark.parametrize("kind", ["shaped", "plain"])
def test_old_labels_go_and_stay_as_with_flair(name: str | None, kind: str, request: pytest.FixtureRequest) -> None:
    def make() -> list[Sentence]:
        sentences = made()
        for sentence in sentences:
            if len(sentence) > 2:
                sentence[0:2].add_label("ner", "Old")
                sentence[1].add_label("mine", "Token")
                sentence[0:1].add_label("mine", "Older")
        return sentences

    found = compare(request.getfixturevalue(kind), make, options={"label_name": name})
    assert any(entry[3] == (name or "ner") for entry in labels(found[1]))


@pytest.mark.parametrize("kind", ["shaped", "plain"])
def test_twice_is_as_twice_by_flair(kind: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(kind)
    for name in (None, "ner"):
        expected, found = made(), made()
        for _ in range(2):
            model.predict(expected, label_name=name)
            lean(model).predict(found, label_name=name)
        assert [labels(sentence) for sentence in found] == [labels(sentence) for sentence in expected]


def test_sentences_that_have_the_prompt_already(shaped: Any) -> None:  # noqa: ANN401 - Flair's
    def make() -> list[Sentence]:
        return cast("list[Sentence]", shaped.augment_sentences(made()))

    found = compare(shaped, make)
    assert all(isinstance(sentence, PrefixedSentence) for sentence in found)
    compare(shaped, lambda: [*make(), *made()])


def test_weights_that_change_are_seen(shaped: Any) -> None:  # noqa: ANN401 - Flair's
    predictor = lean(shaped)
    with torch.no_grad():
        shaped.linear.weight.neg_()
    expected, found = made(), made()
    shaped.predict(expected)
    predictor.predict(found)
    assert [labels(sentence) for sentence in found] == [labels(sentence) for sentence in expected]


def test_dropout_is_off_whatever_the_mode(shaped: SequenceTagger) -> None:
    expected, found = made(), made()
    shaped.predict(expected)
    shaped.train()
    lean(shaped).predict(found)
    assert shaped.training
    assert [labels(sentence) for sentence in found] == [labels(sentence) for sentence in expected]


def test_what_a_pass_made_of_a_tagger() -> None:
    tagger = Int8Dynamic()(load_tagger("bundled"))
    assert isinstance(tagger, FlairTagger)
    expected, found = made(TEXTS[:2]), made(TEXTS[:2])
    cast("SequenceTagger", tagger.model).predict(expected)
    lean(tagger).predict(found)
    assert [labels(sentence) for sentence in found] == [labels(sentence) for sentence in expected]


def test_options_of_flairs_predict(shaped: SequenceTagger) -> None:
    options = {
        "mini_batch_size": 4,
        "verbose": False,
        "return_probabilities_for_all_classes": False,
        "return_loss": False,
        "embedding_storage_mode": "none",
        "force_token_predictions": False,
    }
    compare(shaped, made, options=options)
    refused: dict[str, Any] = {
        "return_probabilities_for_all_classes": True,
        "return_loss": True,
        "embedding_storage_mode": "cpu",
        "force_token_predictions": True,
    }
    for name, value in refused.items():
        found = made()
        with pytest.raises(TaggerError, match=f"expected {name}=.*, found {value!r}.*run this call by Flair"):
            lean(shaped).predict(found, **{name: value})
        assert not any(sentence.labels for sentence in found)
    with pytest.raises(TypeError, match="found 'label'"):
        lean(shaped).predict(made(), label="ner")


@pytest.mark.parametrize("wrong", ["a text", ["a text"], [Sentence("one"), None]])
def test_what_is_no_sentence(shaped: SequenceTagger, wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=r"expected a flair\.data\.Sentence or a list of them, found"):
        lean(shaped).predict(wrong)


def test_what_it_cannot_run(shaped: Any) -> None:  # noqa: ANN401 - Flair's
    class Other(SequenceTagger):
        pass

    shaped.use_rnn = True
    with pytest.raises(TaggerError, match=support.RNN):
        lean(shaped)
    with pytest.raises(TaggerError, match="found Other: run this tagger by Flair"):
        lean(Other.__new__(Other))
    with pytest.raises(TaggerError, match="found int"):
        lean(cast("Any", 3))


@pytest.mark.parametrize("limits", [{"batch_tokens": 0}, {"chunk_sentences": 0}])
def test_a_budget_of_nothing_is_refused(shaped: SequenceTagger, limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected at least one sub-token a batch"):
        lean(shaped, **limits)


def test_names_and_paths(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixed_tagger, "hf_download", lambda name: str(shaped_file) if "hunflair2" in name else "")
    expected = made()
    load_model(str(shaped_file)).predict(expected)
    for given_name in (shaped_file, str(shaped_file), "hunflair2", load_tagger(str(shaped_file))):
        found = made()
        lean(given_name).predict(found)
        assert [labels(sentence) for sentence in found] == [labels(sentence) for sentence in expected]
    assert lean("bundled").label_type == "ner"


def test_a_name_that_only_flair_knows(shaped: SequenceTagger, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(name: str) -> SequenceTagger:
        asked.append(name)
        return shaped

    monkeypatch.setattr(Classifier, "load", load)
    predictor = lean("somebody/tagger")
    assert isinstance(predictor, LeanPredictor)
    assert predictor.model is shaped
    assert asked == ["somebody/tagger"]

    def fail(name: str) -> None:
        raise ValueError(f"no {name}")

    monkeypatch.setattr(Classifier, "load", fail)
    with pytest.raises(TaggerError, match="found 'somebody/tagger', ValueError: no somebody/tagger"):
        lean("somebody/tagger")
    monkeypatch.setattr(Classifier, "load", lambda name: 3 * name)
    with pytest.raises(TaggerError, match=r"somebody/tagger: expected one of Flair's .*, found str"):
        lean("somebody/tagger")
    with pytest.raises(TaggerError, match="found no file"):
        lean("missing.pt")
    assert isinstance(flair.device, torch.device)


def test_importing_leanner_imports_no_torch() -> None:
    code = (
        "import leanner, sys; print(sorted({'torch', 'flair', 'numpy'} & set(sys.modules)), 'lean' in leanner.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "True"]
    with pytest.raises(AttributeError, match="module 'leanner' has no attribute 'leaner'"):
        getattr(leanner, "leaner")  # noqa: B009 - mypy knows that there is none


@pytest.mark.parametrize("prompted", [True, False])
def test_a_crf_leaves_flairs_labels_and_scores(shaped_crf_file: Path, prompted: bool) -> None:  # noqa: FBT001
    state = torch.load(shaped_crf_file, weights_only=False)
    if not prompted:
        for key in ("__cls__", "augmentation_strategy"):
            del state[key]
    model = load_model(str(shaped_crf_file)) if prompted else SequenceTagger.load(state)
    found = compare(model, made)
    assert sum(len(labels(sentence)) for sentence in found) > 10
    compare(model, made, limits={"batch_tokens": 97, "chunk_sentences": 2})
