from __future__ import annotations

import pytest
import torch

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from leanner.passes.pruning.compensation import inverse_factor
from leanner.passes.pruning.compensation import prune_compensated


def problem(seed: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Weights and the second moments of correlated inputs."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(columns, columns, generator=generator, dtype=torch.float64)
    inputs = torch.randn(4 * columns, columns, generator=generator, dtype=torch.float64) @ mixed
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64), inputs.T @ inputs / len(inputs)


def error(weight: Tensor, other: Tensor, gram: Tensor) -> float:
    """Mean square of how far the layer's outputs lie apart."""
    difference = weight - other
    return float((difference @ gram * difference).sum())


def surgeon(weight: Tensor, gram: Tensor, gone: Tensor, damping: float) -> Tensor:
    """Optimal Brain Surgeon, one weight after the other, by its own formula: no factor, one row at a time."""
    result = weight.clone()
    for row in range(len(weight)):
        damped = gram + damping * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
        for column in range(len(gram)):
            # What is left of it is what the weights from here on can still make up for.
            inverse = torch.linalg.inv(damped[column:, column:])
            if gone[row, column]:
                result[row, column:] -= result[row, column].clone() / inverse[0, 0] * inverse[0]
                result[row, column] = 0
    return result


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(2, 12), st.integers(1, 12), st.floats(0, 0.95))
def test_it_is_the_optimal_brain_surgeon(seed: int, rows: int, columns: int, block: int, sparsity: float) -> None:
    weight, gram = problem(seed, rows, columns)
    found = prune_compensated(weight, gram, sparsity, damping=0.01, block=block)
    starts = range(0, columns, block)
    widths = [min(block, columns - start) for start in starts]
    assert int((found == 0).sum()) == sum(round(sparsity * rows * width) for width in widths)
    torch.testing.assert_close(found, surgeon(weight, gram, found == 0, 0.01), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_what_stays_makes_up_for_what_goes(seed: int) -> None:
    weight, gram = problem(seed, 24, 40)
    pruned = prune_compensated(weight, gram, 0.5)
    assert error(weight, pruned, gram) < 0.9 * error(weight, weight.masked_fill(pruned == 0, 0), gram)


def test_without_zeros_nothing_changes() -> None:
    weight, gram = problem(0, 3, 9)
    assert torch.equal(prune_compensated(weight, gram, 0.0), weight)


def test_rounding_is_made_up_for() -> None:
    weight, gram = problem(1, 24, 40)

    def grid(column: Tensor) -> Tensor:
        return (column * 4).round() / 4

    found = prune_compensated(weight, gram, 0.3, grid=grid)
    assert torch.equal(grid(found), found)
    assert error(weight, found, gram) < error(weight, grid(weight).masked_fill(found == 0, 0), gram)


def test_an_input_that_is_never_there() -> None:
    weight, gram = problem(2, 6, 10)
    gram[3] = gram[:, 3] = 0
    pruned = prune_compensated(weight, gram, 0.4)
    assert (pruned[:, 3] == 0).all()
    assert torch.isfinite(inverse_factor(torch.zeros(4, 4))).all()


def test_float32_stays_float32() -> None:
    weight, gram = problem(3, 2, 5)
    assert prune_compensated(weight.float(), gram, 0.4).dtype == torch.float32
