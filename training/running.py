"""What a run of either stage changes step by step, how it is saved, and its command line."""

from __future__ import annotations

import argparse
import json

from pathlib import Path
from typing import Any

import torch

from torch import Tensor
from torch import nn

from leanner.taggers.bundled import ABOUT


MEAN_EVERY = 4  # steps between two updates of the running mean of the weights
RECIPE = "recipe.json"
CHECKPOINT = "checkpoint.pt"
# That change nothing about the weights: which of the parts is taken stands in their name.
IRRELEVANT = frozenset({"corpora", "out", "threads", "parts"})


class Run:
    """A model in training: AdamW, linear warm-up and decay, a running mean of the weights.

    Args:
        model: To be trained.
        groups: Of its parameters, as ``torch.optim.AdamW`` takes them.
        peak: Highest learning rate of the groups that have none of their own.
        steps: Of the whole run.
    """

    def __init__(self, model: nn.Module, groups: list[dict[str, Any]], *, peak: float, steps: int) -> None:
        self.model = model
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: min(step / (0.06 * steps), max(0.0, (steps - step) / (0.94 * steps)))
        )
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)  # type: ignore[no-untyped-call]
        self.mean = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=average, use_buffers=False)

    def step(self, number: int, loss: Tensor) -> None:
        """Take step ``number`` of an epoch or part."""
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        if number % MEAN_EVERY == 0:
            self.mean.update_parameters(self.model)

    def save(self, checkpoint: Path, done: int) -> None:
        """Write all of it, after ``done`` epochs or parts."""
        state = {name: holder.state_dict() for name, holder in self._holders().items()}
        part = checkpoint.with_suffix(".part")
        torch.save(state | {"rng": torch.get_rng_state(), "done": done}, part)
        part.replace(checkpoint)

    def resume(self, checkpoint: Path) -> int:
        """Go back to what was saved; return how many epochs or parts were done, 0 if nothing was."""
        if not checkpoint.exists():
            return 0
        state = torch.load(checkpoint, weights_only=False)
        for name, holder in self._holders().items():
            holder.load_state_dict(state[name])
        torch.set_rng_state(state["rng"])
        return int(state["done"])

    def _holders(self) -> dict[str, Any]:
        return {"model": self.model, "mean": self.mean, "optimizer": self.optimizer, "schedule": self.schedule}


def command_line(description: str | None, *, epochs: int, peak: float, seed: int) -> argparse.ArgumentParser:
    """Return the parser of the arguments that both stages have, with these defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("corpora", type=Path, help="folder with training/ and tmvar3/pmids_all_500.txt")
    parser.add_argument("out", type=Path, help="folder for checkpoints and the trained weights")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--peak", type=float, default=peak, help="highest learning rate of the encoder")
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--budget", type=int, default=2048, help="sub-tokens in a batch")
    parser.add_argument("--threads", type=int, default=None)
    return parser


def begin(arguments: argparse.Namespace) -> None:
    """Set the number of threads, and leave the arguments beside what will be trained.

    Raises:
        SystemExit: The folder holds a run with other ones.
    """
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / RECIPE
    given = {name: value for name, value in vars(arguments).items() if name not in IRRELEVANT}
    if "start" in given:
        given["start"] = recipe_of(arguments.start)
    if (arguments.out / CHECKPOINT).exists() and (before := json.loads(file.read_text(encoding="utf-8"))) != given:
        names = sorted(name for name in given.keys() | before.keys() if given.get(name) != before.get(name))
        raise SystemExit(
            f"{arguments.out} holds a run with another {', '.join(names)}: expected {before}, found {given}; "
            "name another folder, or take that one away"
        )
    file.write_text(json.dumps(given, indent=1), encoding="utf-8")


def recipe_of(path: Path) -> dict[str, Any]:
    """Return how these weights were made: the arguments of the run, without its paths, and their name in it.

    Args:
        path: Weights of ``train.py`` or ``refine.py``, or a folder that ``pack.py`` wrote.

    Raises:
        SystemExit: It is not there.
    """
    if path.is_dir():
        packed: dict[str, Any] = json.loads((path / ABOUT).read_text(encoding="utf-8"))["recipe"]
        return packed
    file = path.with_name(RECIPE)
    if not file.exists():
        raise SystemExit(f"expected {file}, the recipe of {path.name}, found none: name weights as training left them")
    return {"weights": path.stem, **json.loads(file.read_text(encoding="utf-8"))}
