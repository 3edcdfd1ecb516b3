from __future__ import annotations

import shutil

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.taggers.lean.kernels import KernelError
from leanner.taggers.lean.kernels import Kernels
from leanner.taggers.lean.kernels import find_kernels
from leanner.taggers.lean.kernels import load_kernels
from leanner.taggers.lean.kernels.compiling import FLAGS
from leanner.taggers.lean.kernels.compiling import SOURCE
from leanner.taggers.lean.kernels.compiling import compiled
from leanner.taggers.lean.kernels.compiling import openmp_of


if TYPE_CHECKING:
    from torch import Tensor


with_compiler = pytest.mark.skipif(
    not (shutil.which("cc") or shutil.which("gcc")), reason="there is no C compiler here"
)


@pytest.fixture(scope="module", params=["native", "no-avx512f"])
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("there is no C compiler here")
    flags = FLAGS if request.param == "native" else (*FLAGS, "-mno-avx512f")
    try:
        return Kernels(compiled(SOURCE, tmp_path_factory.mktemp("kernels"), flags))
    except KernelError as error:
        if request.param == "native":
            raise
        pytest.skip(f"this compiler knows no AVX-512: {error}")


def places(lengths: list[int]) -> tuple[Tensor, Tensor]:
    sizes = torch.tensor(lengths)
    return sizes.cumsum(0) - sizes, sizes


def naive(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """Softmax attention of one row in float64, by its definition."""
    width = queries.shape[1] // heads
    columns = []
    for head in range(heads):
        q, k, v = (part[:, head * width : (head + 1) * width].double() for part in (queries, keys, values))
        columns.append((q @ k.t() / width**0.5).softmax(-1) @ v)
    return torch.cat(columns, 1)


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=5),
    shape=st.tuples(st.integers(1, 3), st.sampled_from([32, 64, 96])),
    held=st.integers(0, 33),
    scale=st.sampled_from([0.1, 1.0, 5.0]),
    seed=st.integers(0, 1000),
)
def test_attention_is_that_of_its_definition(  # noqa: PLR0917 - what Hypothesis draws
    kernels: Kernels, lengths: list[int], shape: tuple[int, int], held: int, scale: float, seed: int
) -> None:
    heads, width = shape
    generator = torch.Generator().manual_seed(seed)
    # Columns of one tensor, as a joint product leaves them.
    joint = scale * torch.randn(sum(lengths), 3 * heads * width, generator=generator)
    queries, keys, values = torch.split(joint, heads * width, 1)
    before = torch.randn(2, held, heads * width, generator=generator)
    found = kernels.attention(
        queries, keys, values, rows=places(lengths), heads=heads, held=(before[0], before[1]) if held else None
    )
    for row in zip(*(torch.split(part, lengths) for part in (found, queries, keys, values)), strict=True):
        result, own, own_keys, own_values = row
        expected = naive(own, torch.cat((before[0], own_keys)), torch.cat((before[1], own_values)), heads)
        # Scores of hundreds have errors of 1e-5, which their exponentials have relatively.
        torch.testing.assert_close(result.double(), expected, rtol=1e-4, atol=1e-5 if scale <= 1 else 1e-3)


def test_a_row_gives_the_same_bits_whatever_its_neighbours_are(kernels: Kernels) -> None:
    parts = torch.randn(3, 90, 64).unbind()
    together = kernels.attention(*parts, rows=places([20, 50, 20]), heads=2)
    alone = kernels.attention(*(part[20:70] for part in parts), rows=places([50]), heads=2)
    assert torch.equal(together[20:70], alone)


def test_scores_that_are_far_apart_neither_overflow_nor_vanish(kernels: Kernels) -> None:
    queries, values = torch.full((3, 32), 100.0), torch.eye(3, 32)
    keys = torch.tensor([[100.0], [-100.0], [100.0]]).expand(3, 32).contiguous()
    found = kernels.attention(queries, keys, values, rows=places([3]), heads=1)
    torch.testing.assert_close(found[0, :3], torch.tensor([0.5, 0.0, 0.5]))


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 9), groups=st.integers(1, 30), offset=st.floats(-50, 50), seed=st.integers(0, 1000))
def test_a_sum_is_normalized_and_stored_as_torch_does_it(
    kernels: Kernels, rows: int, groups: int, offset: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    width = 16 * groups
    x, residual = torch.randn(2, rows, width, generator=generator) + offset
    norm = torch.nn.LayerNorm(width, 1e-12)
    steps, shift = 40 * torch.rand(width, generator=generator), torch.full((width,), 128.5)
    with torch.inference_mode():
        norm.weight.copy_(torch.randn(width, generator=generator))
        norm.bias.copy_(torch.randn(width, generator=generator))
        # A width of 16 with a common offset leaves few digits.
        expected = norm.double()(x.double() + residual.double())
        norm.float()
        hidden, same = kernels.add_norm(x.clone(), residual, norm)
        again, stored = kernels.add_norm(x.clone(), residual, norm, (steps, shift))
    assert same is hidden
    assert torch.equal(again, hidden)
    torch.testing.assert_close(hidden.double(), expected, rtol=1e-3, atol=1e-3)
    assert torch.equal(stored, kernels.quantize(hidden, (steps, shift)))


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 9), groups=st.integers(1, 5), reach=st.sampled_from([0.5, 3.0, 100.0]), seed=st.integers(0, 99)
)
def test_values_are_stored_as_torch_stores_them(
    kernels: Kernels, rows: int, groups: int, reach: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = reach * torch.randn(rows, 16 * groups, generator=generator)
    steps, shift = 50 * torch.rand(16 * groups, generator=generator), torch.full((16 * groups,), 100.5)
    expected = torch.addcmul(shift, x, steps).clamp_(0, 255).to(torch.uint8)
    found = kernels.quantize(x, (steps, shift))
    # A product that is added without rounding between may fall on the other side of a whole number.
    apart = (found.int() - expected.int()).abs()
    assert int(apart.max()) <= 1
    exact = x.double() * steps.double() + shift.double()
    near = (exact - exact.round()).abs() < 1e-3
    assert not (apart.bool() & ~near).any()


@with_compiler
def test_a_library_is_compiled_once(tmp_path: Path) -> None:
    first = compiled(SOURCE, tmp_path)
    made = first.stat().st_mtime_ns
    assert compiled(SOURCE, tmp_path) == first
    assert first.stat().st_mtime_ns == made
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


@with_compiler
def test_another_source_is_another_library(tmp_path: Path) -> None:
    other = tmp_path / "other.c"
    other.write_text(SOURCE.read_text() + "\n/* changed */\n")
    assert compiled(other, tmp_path) != compiled(SOURCE, tmp_path)


def test_without_a_compiler_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(KernelError, match=r"expected a C compiler \(no-such-compiler\), found none"):
        load_kernels(tmp_path)
    found, notes = find_kernels(torch.device("cpu"))
    assert found is None
    (note,) = notes
    assert note.startswith("attention and normalization are torch's, which is slower: expected a C compiler")


@with_compiler
def test_a_source_that_does_not_compile_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.c"
    broken.write_text("int leanner_attention(")
    with pytest.raises(KernelError, match="ended with 1"):
        compiled(broken, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@with_compiler
def test_kernels_that_compute_something_else_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "wrong.c"
    wrong.write_text(SOURCE.read_text().replace("1.0f / sum_of(total + last)", "2.0f / sum_of(total + last)"))
    monkeypatch.setattr("leanner.taggers.lean.kernels.SOURCE", wrong)
    with pytest.raises(KernelError, match="expected what torch computes within"):
        load_kernels(tmp_path)


def test_a_gpu_needs_none() -> None:
    assert find_kernels(torch.device("cuda")) == (None, ())


@with_compiler
def test_what_is_no_library_is_made_again(tmp_path: Path) -> None:
    library = compiled(SOURCE, tmp_path)
    library.write_bytes(b"something else")
    queries = torch.randn(4, 32)
    found = load_kernels(tmp_path).attention(queries, queries, queries, rows=places([4]), heads=1)
    assert found.shape == queries.shape


def test_more_threads_give_the_same_bits(kernels: Kernels) -> None:
    parts = torch.randn(3, 600, 64).unbind()
    grid = (torch.rand(64), torch.full((64,), 128.5))
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            attended = kernels.attention(*parts, rows=places([100, 1, 499]), heads=2)
            with torch.inference_mode():
                normed, stored = kernels.add_norm(parts[0].clone(), attended, torch.nn.LayerNorm(64), grid)
            found.append((attended, normed, stored))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        (torch.zeros(4, 32).half(), "expected float32 on the CPU, found torch.float16"),
        (torch.zeros(4, 48), "expected 48 features, a multiple of 32"),
        (torch.zeros(32, 4).t(), "features side by side"),
    ],
    ids=["half", "48", "transposed"],
)
def test_what_a_kernel_would_misread_is_refused(kernels: Kernels, queries: Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kernels.attention(queries, queries, queries, rows=places([4]), heads=1)


def test_a_row_without_positions_is_passed_over(kernels: Kernels) -> None:
    parts, held = torch.randn(3, 5, 32).unbind(), torch.randn(2, 3, 32).unbind()
    found = kernels.attention(*parts, rows=places([0, 5, 0]), heads=1, held=(held[0], held[1]))
    alone = kernels.attention(*parts, rows=places([5]), heads=1, held=(held[0], held[1]))
    assert torch.equal(found, alone)


MAPS = """\
7f00-7f01 r-xp 00000000 00:01 1 /venv/lib/sentencepiece.libs/libgomp-6a29c32d.so.1.0.0
7f02-7f03 r-xp 00000000 00:01 2 /venv/lib/scikit_learn.libs/libgomp-e985bcbb.so.1.0.0
7f04-7f05 r-xp 00000000 00:01 3 /venv/lib/my torch/torch{place}
7f06-7f07 r-xp 00000000 00:01 3 /venv/lib/my torch/torch{place}
"""


@pytest.mark.parametrize("place", ["/lib/libgomp.so.1", ".libs/libgomp-a34b3233.so.1"])
def test_of_several_openmps_torchs_is_taken(place: str) -> None:
    found = openmp_of(Path("/venv/lib/my torch/torch"), MAPS.format(place=place))
    assert found == f"/venv/lib/my torch/torch{place}"


def test_an_openmp_that_may_not_be_torchs_is_refused() -> None:
    with pytest.raises(KernelError, match=r"expected one GNU OpenMP .* found /venv/lib/sentencepiece.*, /venv/lib/sci"):
        openmp_of(Path("/elsewhere/torch"), MAPS.format(place="/lib/libiomp5.so"))
    with pytest.raises(KernelError, match="found none"):
        openmp_of(Path("/elsewhere/torch"), "7f00-7f01 r-xp 00000000 00:01 1 /lib/libiomp5.so\n")
    only = "7f00-7f01 r-xp 00000000 00:01 1 /usr/lib/libgomp.so.1\n"
    assert openmp_of(Path("/elsewhere/torch"), only) == "/usr/lib/libgomp.so.1"
