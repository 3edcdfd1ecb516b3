"""What giving free memory back costs and saves: ``pytest benchmarks/test_heap.py -m soak -rP``, three minutes.

Two processes tag the same batches of 1 to 16 sentences, Flair in float32, one of them as a server's worker does
(``leanner.serving.heap``) and one without. They take turns, twice.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time

from typing import Any
from typing import Final

import psutil
import pytest

from leanner.serving.heap import malloc_trim


pytestmark = pytest.mark.soak

BATCHES: Final = 300
#: With, without, without, with.
TURNS: Final = (True, False, False, True)


def test_trimming(benchmark: Any) -> None:  # noqa: ANN401 - untyped
    """Less memory behind the batches; what it costs is said, and not gated: that is of the machine's moods, too."""
    if malloc_trim() is None:
        pytest.skip("this C library has no malloc_trim")
    found: dict[bool, list[dict[str, float]]] = {True: [], False: []}

    def turns() -> None:
        for turn, trims in enumerate(TURNS):
            command = [sys.executable, __file__, str(int(trims)), str(turn // 2)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
            found[trims].append(json.loads(done.stdout.splitlines()[-1]))

    benchmark.pedantic(turns, rounds=1, iterations=1)
    ratios = [with_it["per_s"] / without["per_s"] for with_it, without in zip(found[True], found[False], strict=True)]
    for trims, name in ((False, "kept"), (True, "given back")):
        for each in found[trims]:
            print(f"{name}: {each['half_mb']:.0f} MB, {each['mb']:.0f} MB, {each['per_s']:.1f} sentences/s")  # noqa: T201 - shown with -rP
    print(f"speed: {statistics.fmean(ratios):.3f} times")  # noqa: T201
    benchmark.extra_info["ratios"] = ratios
    assert max(each["mb"] for each in found[True]) < 0.9 * min(each["mb"] for each in found[False])


def tag_batches(seed: int, *, trims: bool) -> dict[str, float]:
    """Return megabytes of memory behind a half of the batches and behind all, and sentences a second."""
    from leanner.corpora.load import load_corpus  # noqa: PLC0415 - pytest need not wait for it
    from leanner.measure.served.tagger import Requests  # noqa: PLC0415
    from leanner.serving.handling import BatchHandler  # noqa: PLC0415
    from leanner.serving.heap import Heap  # noqa: PLC0415
    from leanner.taggers.load import load_tagger  # noqa: PLC0415

    rng = random.Random(seed)  # noqa: S311 - no secret
    bodies = Requests.of(load_corpus(["bundled"])).bodies
    handle = BatchHandler(load_tagger("bundled"), after=Heap(malloc_trim()) if trims else None)
    megabytes, sentences, began_s = [], 0, time.monotonic()
    for number in range(1, BATCHES + 1):
        batch = rng.choices(bodies, k=rng.randint(1, 16))
        handle(batch)
        sentences += len(batch)
        if number % (BATCHES // 2) == 0:
            megabytes.append(psutil.Process().memory_info().rss / 1e6)
    per_s = sentences / (time.monotonic() - began_s)
    return {"half_mb": megabytes[0], "mb": megabytes[1], "per_s": per_s}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(tag_batches(int(sys.argv[2]), trims=bool(int(sys.argv[1])))) + "\n")
