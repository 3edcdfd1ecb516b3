from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from torch import nn

from leanner.passes.pruning.heads import HeadPruning
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.engines.graph import PaddedBert
from leanner.taggers.engines.graph import is_of_floats
from leanner.taggers.engines.graph import traced
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.load import load_tagger


def tokens(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 400, (len(lengths), max(lengths)), generator=generator)
    return ids, torch.tensor(lengths)


def test_what_stands_behind_a_row_changes_nothing(shaped_file: Path) -> None:
    graph = PaddedBert(LeanTagger(load_tagger(str(shaped_file))).parts).eval()
    ids, lengths = tokens([9, 4, 1])
    wanted = torch.tensor([0, 8, 9, 12, 18])
    with torch.inference_mode():
        expected = graph(ids, lengths, wanted)
        for row, length in enumerate(lengths.tolist()):
            ids[row, length:] = 7
        torch.testing.assert_close(graph(ids, lengths, wanted), expected, rtol=0, atol=0)
        alone = graph(ids[1:2, :4], lengths[1:2], torch.tensor([0, 3]))
    torch.testing.assert_close(alone, expected[2:4])


def test_the_traced_program_takes_any_sizes(shaped_file: Path) -> None:
    parts = LeanTagger(load_tagger(str(shaped_file))).parts
    graph, program = PaddedBert(parts).eval(), traced(parts).module()
    for sizes, wanted in (([9, 4, 1], [0, 18]), ([6], [2]), ([1, 1], [0, 1])):
        ids, lengths = tokens(sizes)
        with torch.inference_mode():
            expected = graph(ids, lengths, torch.tensor(wanted))
            torch.testing.assert_close(program(ids, lengths, torch.tensor(wanted)), expected)


def test_layers_may_have_lost_heads(shaped_file: Path) -> None:
    tagger: Any = load_tagger(str(shaped_file))
    parts = LeanTagger(HeadPruning(0.25)(tagger)).parts  # type: ignore[arg-type]
    ids, lengths = tokens([5, 5])
    with torch.inference_mode():
        assert PaddedBert(parts)(ids, lengths, torch.tensor([0, 9])).shape == (2, parts.head.out_features)


def test_only_torchs_own_layers_of_float32_make_a_graph(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file))
    lean = LeanTagger(tagger)
    assert is_of_floats(lean.parts)
    lean.parts.encoder.encoder.layer[1].output.dense.to(torch.bfloat16)
    assert not is_of_floats(lean.parts)
    quantized: Any = Int8Dynamic()(load_tagger(str(shaped_file)))
    assert not is_of_floats(LeanTagger(quantized).parts)
    lean = LeanTagger(load_tagger(str(shaped_file)))
    lean.parts.encoder.embeddings.LayerNorm = nn.BatchNorm1d(32)
    assert not is_of_floats(lean.parts)
