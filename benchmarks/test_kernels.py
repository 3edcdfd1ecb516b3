"""What kernels gain by AMX, and int8 layers by few numbers of tokens: ``pytest benchmarks -m kernels -rP``.

Random weights of the bundled tagger's shape and of BERT-base's. The kernels with AMX and without take turns; so do two
processes whose batches have any number of tokens and numbers that are multiples of sixteen.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import psutil
import pytest


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.kernels

#: Layers, heads, features of a head and neurons.
SHAPES: Final = {
    "bundled": (6, 12, 32, 1536),
    "bundled, half of the neurons": (6, 12, 32, 768),
    "BERT-base": (3, 12, 64, 3072),
}
#: A batch of 2,024 sub-tokens, behind a prompt.
LENGTHS: Final = [44] * 46
BEFORE: Final = 9
ROUNDS: Final = 15

BATCHES: Final = 600
MOST_TOKENS: Final = 1_000
#: Multiples, in this order, so that what drifts is in both.
TURNS: Final = (16, 1, 1, 16)


@pytest.mark.parametrize("shape", SHAPES)
def test_amx(shape: str, tmp_path: Path, benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """It is faster; the bits are those without it (which the tests see)."""
    import torch  # noqa: PLC0415 - cases are collected without torch

    from leanner.taggers.lean.kernels.compiling import FLAGS  # noqa: PLC0415 - imports torch
    from leanner.taggers.lean.kernels.compiling import compiled  # noqa: PLC0415 - imports torch
    from leanner.taggers.lean.kernels.layers import LAYERS  # noqa: PLC0415 - imports torch
    from leanner.taggers.lean.kernels.layers import LayerKernels  # noqa: PLC0415 - imports torch
    from leanner.taggers.lean.kernels.reference import made_up  # noqa: PLC0415 - imports torch

    depth, heads, size, inner = SHAPES[shape]
    generator = torch.Generator().manual_seed(0)
    embedding, layers, held = made_up(depth, heads=heads, size=size, inner=inner, before=BEFORE, generator=generator)
    sizes = torch.tensor(LENGTHS)
    ids = torch.randint(0, 99, (sum(LENGTHS),), generator=generator)
    rows, wanted = (sizes.cumsum(0) - sizes, sizes), torch.arange(0, len(ids), 2)
    kernels = {
        name: LayerKernels(compiled(LAYERS, tmp_path, (*FLAGS, *more)))
        for name, more in (("with", ()), ("without", ("-U__AMX_INT8__",)))
    }
    if not kernels["with"].has_amx:
        pytest.skip("this CPU has no AMX, or its kernel lets nobody use it")
    seconds: dict[str, list[float]] = {name: [] for name in kernels}

    def turns() -> None:
        for _ in range(ROUNDS):
            for name, kernel in kernels.items():
                began_s = time.perf_counter()
                kernel(embedding, layers, ids, rows=rows, wanted=wanted, held=held)
                seconds[name].append(time.perf_counter() - began_s)

    benchmark.pedantic(turns, rounds=1, iterations=1)
    ratio = statistics.median(b / a for a, b in zip(seconds["with"], seconds["without"], strict=True))
    each = ", ".join(f"{1000 * statistics.median(found):.1f} ms {name}" for name, found in seconds.items())
    print(f"{shape}: {each}; {ratio:.2f} times as fast")  # noqa: T201 - shown with -rP
    benchmark.extra_info["ratio"] = ratio
    assert ratio > 1.0


def test_numbers_of_tokens(benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """Less memory; what it gains in time is said, and not gated."""
    found: dict[int, list[dict[str, float]]] = {multiple: [] for multiple in TURNS}

    def turns() -> None:
        for seed, multiple in enumerate(TURNS):
            command = [sys.executable, __file__, str(multiple), str(seed // 2)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
            found[multiple].append(json.loads(done.stdout.splitlines()[-1]))

    benchmark.pedantic(turns, rounds=1, iterations=1)
    for multiple, each in found.items():
        for one in each:
            print(f"multiples of {multiple}: {one['mb']:.0f} MB more, {one['seconds']:.1f} s")  # noqa: T201 - the same
    few, any_number = found[16], found[1]
    assert max(one["mb"] for one in few) < min(one["mb"] for one in any_number)


def multiply(multiple: int, seed: int) -> dict[str, float]:
    """Return megabytes that the process takes more behind the batches than before, and seconds."""
    import torch  # noqa: PLC0415 - pytest need not wait for it

    from torch import nn  # noqa: PLC0415

    from leanner.passes import int8  # noqa: PLC0415 - imports torch

    rng = random.Random(seed)  # noqa: S311 - no secret
    torch.manual_seed(0)
    setattr(int8, "_TOKENS", multiple)  # noqa: B010 - what is compared
    layers = [int8.Int8Linear(nn.Linear(*sizes)) for sizes in ((384, 384), (384, 1536), (1536, 384))]
    process, began_s = psutil.Process(), time.perf_counter()
    before = process.memory_info().rss
    with torch.inference_mode():
        for _ in range(BATCHES):
            x = torch.randn(rng.randint(1, MOST_TOKENS), 384)
            for layer in layers:
                x = layer(x)
    return {"mb": (process.memory_info().rss - before) / 1e6, "seconds": time.perf_counter() - began_s}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(multiply(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
