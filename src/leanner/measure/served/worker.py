"""The tagger of a configuration, made in the process that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leanner.configurations import named
from leanner.serving.source import Source
from leanner.taggers.by_name import load_by_name


if TYPE_CHECKING:
    from leanner.configurations import Configuration
    from leanner.options import Options
    from leanner.taggers.protocol import Tagger


def source_of(configuration: Configuration, options: Options, device: str) -> Source:
    """Return where a worker gets the tagger of a configuration from."""
    return Source(
        "leanner.measure.served.worker:make",
        {
            "configuration": configuration.name,
            "tagger": options.tagger,
            "labels": options.tagger_labels,
            "device": device,
            "batch_size": options.batch_size,
        },
    )


def make(configuration: str, tagger: str, labels: str | None, device: str, batch_size: int) -> Tagger:
    """Return the tagger after the passes of its configuration.

    Args:
        configuration: Its name.
        tagger: As ``--leanner-tagger`` names it.
        labels: As ``--leanner-tagger-labels``.
        device: Torch device.
        batch_size: As ``--leanner-batch-size``.
    """
    made = load_by_name(tagger, device, labels=labels, mini_batch_size=batch_size)
    for step in named(configuration).passes:
        made = step(made)
    return made
