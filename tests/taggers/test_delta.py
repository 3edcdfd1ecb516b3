from __future__ import annotations

import pytest
import torch

from hypothesis import given
from hypothesis import strategies as st

from leanner.taggers.delta import apply_delta
from leanner.taggers.delta import make_delta


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e3))
def test_each_weight_is_within_half_a_step(seed: int, spread: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    base = {"layer.weight": torch.randn(5, 7, generator=generator)}
    tuned = {"layer.weight": base["layer.weight"] + spread * torch.randn(5, 7, generator=generator)}
    delta = make_delta(base, tuned)
    assert delta["layer.weight"].dtype == torch.int8
    step = delta["layer.weight.scale"]
    rounding = 4 * torch.finfo(torch.float32).eps * (base["layer.weight"].abs() + 127 * step)
    error = (apply_delta(base, delta)["layer.weight"] - tuned["layer.weight"]).abs()
    assert (error <= step / 2 + rounding).all()


def test_biases_come_back_to_the_last_bits_and_the_head_exactly() -> None:
    generator = torch.Generator().manual_seed(0)
    base = {"bias": torch.randn(9, generator=generator)}
    tuned = {"bias": torch.randn(9, generator=generator), "linear.weight": torch.randn(2, 3, generator=generator)}
    back = apply_delta(base, make_delta(base, tuned))
    torch.testing.assert_close(back["bias"], tuned["bias"], rtol=0, atol=1e-6)
    assert torch.equal(back["linear.weight"], tuned["linear.weight"])


def test_what_did_not_change_is_not_stored() -> None:
    frozen = torch.ones(3, 3)
    assert make_delta({"embeddings.weight": frozen}, {"embeddings.weight": frozen.clone()}) == {}
    assert torch.equal(apply_delta({"embeddings.weight": frozen}, {})["embeddings.weight"], frozen)


@given(st.sets(st.integers(0, 8)))
def test_rows_that_did_not_change_are_not_stored(changed: set[int]) -> None:
    base = {"embeddings.weight": torch.arange(27.0).view(9, 3)}
    tuned = {"embeddings.weight": base["embeddings.weight"].clone()}
    for row in changed:
        tuned["embeddings.weight"][row] += 1.27 * torch.tensor([1.0, -0.5, 0.25])
    delta = make_delta(base, tuned)
    if changed:
        assert len(delta["embeddings.weight"]) == len(changed)
        assert ("embeddings.weight.rows" in delta) == (len(changed) < 9)
    back = apply_delta(base, delta)["embeddings.weight"]
    torch.testing.assert_close(back, tuned["embeddings.weight"], rtol=0, atol=0.006)
    kept = [row for row in range(9) if row not in changed]
    assert torch.equal(back[kept], base["embeddings.weight"][kept])


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected w of shape \(2, 2\), found \(2, 3\)"):
        make_delta({"w": torch.zeros(2, 2)}, {"w": torch.zeros(2, 3)})
