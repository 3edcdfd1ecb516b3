"""Which taggers the lean runtime can run."""

from __future__ import annotations

from typing import Any
from typing import Final


_ADVICE: Final = "the lean runtime has none: run this tagger by Flair"
_OTHER_ADVICE: Final = "the lean runtime has none: run this tagger by transformers"

RNN: Final = f"an RNN over the embeddings: {_ADVICE}"
REPROJECTION: Final = f"reprojected embeddings: {_ADVICE}"
WORD_LABELS: Final = f"labels of words instead of spans: {_ADVICE}"
NO_TRANSFORMER: Final = f"embeddings that are no TransformerWordEmbeddings: {_ADVICE}"
POOLING: Final = f"sub-token pooling other than first and mean: {_ADVICE}"
LAYERS: Final = f"embeddings of other layers than the last: {_ADVICE}"
PROMPT: Final = f"a prompt other than Flair's task prompt: {_ADVICE}"
#: Kinds of encoders, as their configurations call them, whose spans tests compare with Flair's.
ENCODERS: Final = (
    *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "mobilebert", "modernbert"),
    *("mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta"),
)
ENCODER: Final = f"an encoder of another kind than {', '.join(ENCODERS)}: {_ADVICE}"
TOKENIZER: Final = f"a tokenizer that is not fast, or adds other than one special token at either end: {_ADVICE}"
CLASSIFIER: Final = f"a token classifier other than a linear layer on one of {', '.join(ENCODERS)}: {_OTHER_ADVICE}"
SEGMENTS: Final = f"a tokenizer that gives another segment than the first: {_OTHER_ADVICE}"

#: Of what works on the layers themselves.
BLOCKS: Final = (
    "an encoder other than BERT with absolute positions: its layers are not known, run it in the lean runtime"
)

NO_PREFIX: Final = "a tagger without a prompt: no prefix to cache"
NO_GRAPHS: Final = "an encoder of another kind than BERT: no CUDA graphs are recorded of it"
CONTEXT: Final = "context before the prompt, another for each sentence: no prefix to cache"

NO_REGROUPING: Final = "a tagger of transformers: sentences are tagged once, or together, for taggers of Flair only"

#: Every answer of :func:`reason_against_prefix`.
PREFIX_REASONS: Final = (NO_PREFIX, CONTEXT, BLOCKS)

#: Every reason for which a tagger is not run.
REASONS: Final = (
    RNN,
    REPROJECTION,
    WORD_LABELS,
    NO_TRANSFORMER,
    POOLING,
    LAYERS,
    PROMPT,
    ENCODER,
    TOKENIZER,
    CLASSIFIER,
    SEGMENTS,
)


def reason_against(model: Any) -> str | None:  # noqa: ANN401 - Flair's SequenceTagger
    """Return why the lean runtime cannot run ``model``; ``None`` if it can."""
    for reason, is_so in {
        RNN: model.use_rnn,
        REPROJECTION: model.reproject_embeddings,
        WORD_LABELS: not model.predict_spans,
    }.items():
        if is_so:
            return reason
    embeddings = model.embeddings
    if type(embeddings).__name__ != "TransformerWordEmbeddings":
        return NO_TRANSFORMER
    config = embeddings.model.config
    strategy = getattr(model, "augmentation_strategy", None)
    layers = {index % (config.num_hidden_layers + 1) for index in embeddings.layer_indexes}
    for reason, is_so in {
        POOLING: embeddings.subtoken_pooling not in ("first", "mean"),
        LAYERS: layers != {config.num_hidden_layers},
        PROMPT: strategy is not None and type(strategy).__name__ != "EntityTypeTaskPromptAugmentationStrategy",
        ENCODER: not _encodes(config),
        TOKENIZER: not _is_fast_and_bracketed(embeddings.tokenizer),
    }.items():
        if is_so:
            return reason
    return None


def reason_against_classifier(model: Any, tokenizer: Any) -> str | None:  # noqa: ANN401 - transformers'
    """Return why the lean runtime cannot run a model of transformers; ``None`` if it can."""
    parts = {name for name, _ in model.named_children()} - {"dropout"}
    plain = parts == {model.base_model_prefix, "classifier"} and hasattr(model.classifier, "out_features")
    if not _encodes(model.config) or not plain:
        return CLASSIFIER
    return SEGMENTS if any(tokenizer.backend_tokenizer.encode("A").type_ids) else None


def reason_against_prefix(model: Any) -> str | None:  # noqa: ANN401 - Flair's SequenceTagger
    """Return why the texts of ``model`` have no common prefix; ``None`` if they have one."""
    if getattr(model, "augmentation_strategy", None) is None:
        return NO_PREFIX
    return CONTEXT if model.embeddings.context_length else reason_against_blocks(model.embeddings.model)


def reason_against_blocks(encoder: Any) -> str | None:  # noqa: ANN401 - transformers'
    """Return why nothing can work on the layers of ``encoder`` themselves; ``None`` if they are BERT's."""
    positions = getattr(encoder.config, "position_embedding_type", "absolute")
    is_bert = type(encoder).__name__ == "BertModel" and positions == "absolute"
    return None if is_bert else BLOCKS


def task_prompt(model: Any) -> list[str]:  # noqa: ANN401 - Flair's SequenceTagger
    """Return the words that ``model`` puts before each sentence."""
    strategy = getattr(model, "augmentation_strategy", None)
    return [] if strategy is None else list(strategy.task_prompt)


def _encodes(config: Any) -> bool:  # noqa: ANN401 - transformers'
    return config.model_type in ENCODERS and not (config.is_decoder or config.is_encoder_decoder)


def _is_fast_and_bracketed(tokenizer: Any) -> bool:  # noqa: ANN401 - transformers'
    return bool(tokenizer.is_fast) and [token == -1 for token in tokenizer.build_inputs_with_special_tokens([-1])] == [
        False,
        True,
        False,
    ]
