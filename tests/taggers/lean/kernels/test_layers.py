from __future__ import annotations

import shutil

from pathlib import Path

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from leanner.taggers.lean.kernels import layers as module
from leanner.taggers.lean.kernels.compiling import FLAGS
from leanner.taggers.lean.kernels.compiling import KernelError
from leanner.taggers.lean.kernels.compiling import compiled
from leanner.taggers.lean.kernels.layers import LAYERS
from leanner.taggers.lean.kernels.layers import LayerKernels
from leanner.taggers.lean.kernels.layers import find_layer_kernels
from leanner.taggers.lean.kernels.layers import load_layer_kernels
from leanner.taggers.lean.kernels.reference import computed
from leanner.taggers.lean.kernels.reference import made_up
from leanner.taggers.lean.kernels.tiles import rows_of
from leanner.taggers.lean.kernels.tiles import tiles_of


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> LayerKernels:
    try:
        return LayerKernels(compiled(LAYERS, tmp_path_factory.mktemp("kernels")))
    except KernelError as error:
        pytest.skip(f"no compiler, or a CPU without VNNI: {error}")


@pytest.fixture(scope="module")
def without_amx(kernels: LayerKernels, tmp_path_factory: pytest.TempPathFactory) -> LayerKernels:
    """What is compiled for a CPU like this one that has no AMX."""
    if not kernels.has_amx:
        pytest.skip("this CPU has no AMX, or its kernel lets nobody use it")
    found = LayerKernels(compiled(LAYERS, tmp_path_factory.mktemp("without-amx"), (*FLAGS, "-U__AMX_INT8__")))
    assert not found.has_amx
    return found


def copied(folder: Path) -> Path:
    """Return the source of the kernels, with what it includes, copied to ``folder``."""
    for path in (LAYERS, *LAYERS.parent.glob("*.h")):
        shutil.copy(path, folder / path.name)
    return folder / LAYERS.name


def places(lengths: list[int]) -> tuple[Tensor, Tensor]:
    sizes = torch.tensor(lengths)
    return sizes.cumsum(0) - sizes, sizes


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 120) | st.sampled_from([1, 192, 193, 450]), min_size=1, max_size=6),
    heads=st.integers(1, 3),
    size=st.sampled_from([8, 32, 40, 64]),
    inner=st.sampled_from([8, 24, 128]),
    before=st.sampled_from([0, 0, 1, 9, 33]),
    depth=st.integers(1, 2),
    seed=st.integers(0, 1000),
)
def test_layers_are_what_torch_makes_of_them(  # noqa: PLR0917 - what Hypothesis draws
    kernels: LayerKernels, lengths: list[int], heads: int, size: int, inner: int, before: int, depth: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    embedding, layers, held = made_up(depth, heads=heads, size=size, inner=inner, before=before, generator=generator)
    ids = torch.randint(0, 99, (sum(lengths),), generator=generator)
    wanted = torch.randperm(len(ids), generator=generator)[: len(ids) // 2 + 1].sort().values
    expected = computed(embedding, layers, ids, lengths, held if before else ())[wanted]
    found = kernels(embedding, layers, ids, rows=places(lengths), wanted=wanted, held=held if before else ())
    apart = (found - expected).abs()
    # A value that lies between two steps may be stored as the other one, which its whole row then sees. Of 1,500 such
    # draws the worst had 0.016, 0.07 and 0.095 (a Xeon with AMX; products have the same bits without).
    assert float(apart.mean()) < 0.03
    assert float(apart.amax(1).median()) < 0.14
    assert float(apart.max()) < 0.2 * depth
    assert float(expected.abs().mean()) > 0.5


def test_a_row_gives_the_same_bits_whatever_its_neighbours_are(kernels: LayerKernels) -> None:
    generator = torch.Generator().manual_seed(1)
    embedding, layers, held = made_up(2, heads=2, size=32, inner=64, before=9, generator=generator)
    lengths = [5, 61, 17, 190, 3, 250]
    ids = torch.randint(0, 99, (sum(lengths),), generator=generator)
    together = kernels(embedding, layers, ids, rows=places(lengths), wanted=torch.arange(len(ids)), held=held)
    for row, states in zip(torch.split(ids, lengths), torch.split(together, lengths), strict=True):
        alone = kernels(embedding, layers, row, rows=places([len(row)]), wanted=torch.arange(len(row)), held=held)
        assert torch.equal(alone, states)
        last = kernels(embedding, layers, row, rows=places([len(row)]), wanted=torch.tensor([len(row) - 1]), held=held)
        assert torch.equal(last, states[-1:])


@pytest.mark.parametrize("lengths", [[100] * 9, [3], [40, 9]], ids=["many", "one", "two"])
def test_more_threads_give_the_same_bits(kernels: LayerKernels, lengths: list[int]) -> None:
    generator = torch.Generator().manual_seed(2)
    embedding, layers, _ = made_up(1, heads=2, size=32, inner=64, before=0, generator=generator)
    ids = torch.randint(0, 99, (sum(lengths),), generator=generator)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3, 12):
            torch.set_num_threads(threads)
            found.append(kernels(embedding, layers, ids, rows=places(lengths), wanted=torch.arange(len(ids))))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_scores_that_are_far_apart_neither_overflow_nor_vanish(kernels: LayerKernels) -> None:
    generator = torch.Generator().manual_seed(3)
    embedding, (layer,), _ = made_up(1, heads=1, size=32, inner=8, before=0, generator=generator)
    layer.query.scale.mul_(100)
    layer.key.scale.mul_(100)
    ids = torch.randint(0, 99, (30,), generator=generator)
    found = kernels(embedding, [layer], ids, rows=places([30]), wanted=torch.arange(30))
    assert float((found - computed(embedding, [layer], ids, [30])).abs().median()) < 1e-4


def test_nothing_wanted_is_nothing(kernels: LayerKernels) -> None:
    embedding, layers, _ = made_up(1, heads=1, size=8, inner=8, before=0, generator=torch.Generator().manual_seed(4))
    found = kernels(embedding, layers, torch.arange(300) % 99, rows=places([200, 100]), wanted=torch.arange(0))
    assert found.shape == (0, 8)


@pytest.mark.parametrize(
    ("ids", "before"), [([0, 99], 0), ([-1, 0], 0), ([5] * 4, 509)], ids=["word", "sign", "position"]
)
def test_what_has_no_embedding_is_refused(kernels: LayerKernels, ids: list[int], before: int) -> None:
    generator = torch.Generator().manual_seed(5)
    embedding, layers, held = made_up(1, heads=1, size=8, inner=8, before=before, generator=generator)
    words, wanted = torch.tensor(ids), torch.arange(1)
    with pytest.raises(IndexError, match="expected words from 0 to 98 and at most 512 positions, found"):
        kernels(embedding, layers, words, rows=places([len(ids)]), wanted=wanted, held=held if before else ())


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (torch.tensor([2]), IndexError),
        (torch.tensor([-1]), IndexError),
        (torch.tensor([0], dtype=torch.int32), TypeError),
    ],
    ids=["behind", "before", "type"],
)
def test_places_that_are_none_are_refused(kernels: LayerKernels, wanted: Tensor, error: type[Exception]) -> None:
    embedding, layers, _ = made_up(1, heads=1, size=8, inner=8, before=0, generator=torch.Generator().manual_seed(6))
    with pytest.raises(error, match=r"expected .*, found"):
        kernels(embedding, layers, torch.tensor([1, 2]), rows=places([2]), wanted=wanted)


def test_the_result_is_of_float32_whatever_the_default_is(kernels: LayerKernels) -> None:
    embedding, layers, _ = made_up(1, heads=1, size=8, inner=8, before=0, generator=torch.Generator().manual_seed(7))
    given_ids, wanted = torch.tensor([1, 2]), torch.arange(2)
    expected = kernels(embedding, layers, given_ids, rows=places([2]), wanted=wanted)
    torch.set_default_dtype(torch.bfloat16)
    try:
        assert torch.equal(kernels(embedding, layers, given_ids, rows=places([2]), wanted=wanted), expected)
    finally:
        torch.set_default_dtype(torch.float32)


@given(st.integers(1, 40), st.integers(1, 150), st.integers(0, 99))
def test_tiles_are_laid_out_and_back(outputs: int, inputs: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(-127, 128, (outputs, inputs), generator=generator, dtype=torch.int8)
    laid = tiles_of(rows)
    assert laid.shape == (-(-outputs // 16), -(-inputs // 64), 16, 64)
    assert laid.is_contiguous()
    feature, at = outputs - 1, inputs - 1
    assert laid[feature // 16, at // 64, feature % 16, at % 64] == rows[-1, -1]
    assert int(laid.count_nonzero()) == int(rows.count_nonzero())
    assert torch.equal(rows_of(laid, outputs, inputs), rows)


@settings(deadline=None, max_examples=20)
@given(
    lengths=st.lists(st.integers(1, 70) | st.sampled_from([193, 450]), min_size=1, max_size=6),
    heads=st.integers(1, 5),
    size=st.sampled_from([8, 16, 32, 40, 64]),
    inner=st.sampled_from([8, 24, 128, 144]),
    seed=st.integers(0, 1000),
)
def test_amx_gives_the_bits_of_the_products_without_it(  # noqa: PLR0917 - what Hypothesis draws
    kernels: LayerKernels, without_amx: LayerKernels, lengths: list[int], heads: int, size: int, inner: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    embedding, layers, held = made_up(2, heads=heads, size=size, inner=inner, before=3, generator=generator)
    ids = torch.randint(0, 99, (sum(lengths),), generator=generator)
    wanted = torch.arange(0, len(ids), 2)
    one, other = (
        each(embedding, layers, ids, rows=places(lengths), wanted=wanted, held=held) for each in (kernels, without_amx)
    )
    assert torch.equal(one, other)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("layers.c", "_mm512_div_ps(spread(1.0f), total)", "_mm512_div_ps(spread(1.01f), total)"),
        ("products.h", "0.141364306f,   0.5f", "0.141364306f,   0.51f"),
        ("products.h", "p->scale[feature]", "p->scale[feature ^ 1]"),
        ("products.h", "p->start[feature +", "p->start[1 ^ feature +"),
    ],
    ids=["softmax", "gelu", "scale", "zero point"],
)
def test_kernels_that_compute_something_else_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, right: str, wrong: str
) -> None:
    copied(tmp_path)
    changed = tmp_path / file
    text = changed.read_text(encoding="utf-8")
    assert right in text
    changed.write_text(text.replace(right, wrong), encoding="utf-8")
    monkeypatch.setattr(module, "LAYERS", tmp_path / LAYERS.name)
    with pytest.raises(KernelError, match="expected what torch computes within"):
        load_layer_kernels(tmp_path)


@pytest.mark.usefixtures("kernels")
def test_what_else_lies_in_the_place_of_the_library_is_replaced(tmp_path: Path) -> None:
    library = compiled(LAYERS, tmp_path)
    library.unlink()
    library.write_bytes(b"something else")
    load_layer_kernels(tmp_path)
    assert library.stat().st_size > 1000


@pytest.mark.usefixtures("kernels")
def test_what_is_included_is_compiled_again_when_it_has_changed(tmp_path: Path) -> None:
    source = copied(tmp_path)
    before = compiled(source, tmp_path)
    assert compiled(source, tmp_path) == before
    header = tmp_path / "products.h"
    header.write_text(header.read_text(encoding="utf-8") + "/* changed */\n", encoding="utf-8")
    assert compiled(source, tmp_path) != before


@pytest.mark.usefixtures("kernels")
def test_a_cpu_without_vnni_has_none(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="expected a CPU with AVX-512 VNNI"):
        compiled(LAYERS, tmp_path, (*FLAGS, "-mno-avx512vnni"))


def test_without_a_compiler_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    found, (note,) = find_layer_kernels()
    assert found is None
    assert note.startswith("int8 layers are computed one by one by oneDNN, which is slower: expected a C compiler")
