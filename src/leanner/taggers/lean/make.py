"""The lean runtime over a tagger, whichever library runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leanner.taggers.errors import TaggerError
from leanner.taggers.flair import FlairTagger
from leanner.taggers.hf.tagger import HfTagger
from leanner.taggers.lean.support import NO_PREFIX
from leanner.taggers.lean.support import NO_REGROUPING
from leanner.taggers.lean.support import reason_against
from leanner.taggers.lean.support import reason_against_classifier
from leanner.taggers.lean.support import reason_against_prefix
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.lean.text_tagger import LeanTextTagger


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


def make_lean(
    tagger: Tagger,
    *,
    batch_tokens: int = 2048,
    prefix_caching: bool = False,
    deduplicate: bool = False,
    window_words: int = 0,
) -> LeanTagger | LeanTextTagger:
    """Return the lean runtime over the modules of ``tagger``.

    Args:
        tagger: Run by Flair or transformers; passes may have changed its modules.
        batch_tokens: As of :class:`~leanner.taggers.lean.tagger.LeanTagger`.
        prefix_caching: As there.
        deduplicate: As there.
        window_words: As there.

    Raises:
        TaggerError: The tagger has parts that this runtime does not have.
        ValueError: A batch or a chunk of nothing, or less than no window.
    """
    check_runnable(tagger, prefix_caching=prefix_caching, regroup=deduplicate or window_words > 0)
    if isinstance(tagger, HfTagger):
        return LeanTextTagger(tagger, batch_tokens=batch_tokens)
    assert isinstance(tagger, FlairTagger)
    return LeanTagger(
        tagger,
        batch_tokens=batch_tokens,
        prefix_caching=prefix_caching,
        deduplicate=deduplicate,
        window_words=window_words,
    )


def check_runnable(tagger: Tagger, *, prefix_caching: bool, regroup: bool) -> None:
    """Refuse a tagger that the lean runtime cannot run so, whatever passes do to it before.

    Args:
        tagger: Run by Flair or transformers.
        prefix_caching: Whether the prompt is computed once.
        regroup: Whether sentences are left out, or computed together.

    Raises:
        TaggerError: It has parts that this runtime does not have.
    """
    reason: str | None
    if isinstance(tagger, HfTagger):
        reason = reason_against_classifier(tagger.model, tagger.tokenizer)
        reason = reason or (NO_PREFIX if prefix_caching else None) or (NO_REGROUPING if regroup else None)
    else:
        assert isinstance(tagger, FlairTagger)
        reason = reason_against(tagger.model) or (reason_against_prefix(tagger.model) if prefix_caching else None)
    if reason is not None:
        raise TaggerError(reason)
