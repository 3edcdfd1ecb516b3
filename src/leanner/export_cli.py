"""``leanner export OUT``: a tagger and a configuration as files that run without Flair."""

from __future__ import annotations

import argparse

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from leanner.combinations import combined
from leanner.taggers.libraries import HF


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


def add_parser(subparsers: Subparsers) -> None:
    """Add ``export`` to the sub-commands."""
    parser = subparsers.add_parser(
        "export",
        help="write a tagger as files that run without Flair",
        description="Load a tagger, apply a configuration's passes and write the result as safetensors and JSON, or as "
        "the ONNX or OpenVINO files of the engine that runs it; no pickle. The folder takes its name when it is whole "
        "and, loaded again, has given the same spans as the tagger. `leanner tag`, `leanner serve` and "
        "leanner.Lean.load read it. Exit status: 0, or 2 if it cannot be exported.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder that is empty or not there")
    parser.add_argument(
        "--tagger",
        default="bundled",
        metavar="TAGGER",
        help="bundled (default), hunflair2, a file saved by Flair, a pickle (name only what you trust), or hf:DIR, a "
        "checkpoint of transformers",
    )
    parser.add_argument("--tagger-labels", metavar="FILE", help="label map of such a checkpoint")
    parser.add_argument(
        "--configuration",
        required=True,
        metavar="NAME",
        help="as its case is called: lean-int8-static or openvino-int8, for instance; one that is measured in Flair is "
        "exported in the lean runtime. Several are joined by +, and parameters stand behind a colon, as `leanner "
        "search` names them",
    )
    parser.add_argument("--device", default="cpu", help="where the passes are applied (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="replace an export that lies in OUT")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export and print what was written; return 2 with the reason if it cannot be."""
    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    if args.tagger_labels is not None and not args.tagger.startswith(HF):
        errors.print(f"leanner export: expected --tagger {HF}… beside --tagger-labels, found {args.tagger}")
        return 2
    try:
        configuration = combined(args.configuration)
    except (KeyError, ValueError) as error:
        errors.print(f"leanner export: --configuration: {error.args[0]}")
        return 2
    # Flair and torch take seconds, which other sub-commands need not wait for
    from leanner.export.write import ExportError  # noqa: PLC0415
    from leanner.export.write import export  # noqa: PLC0415
    from leanner.passes.protocol import NotRunnable  # noqa: PLC0415
    from leanner.passes.protocol import WrongOrder  # noqa: PLC0415
    from leanner.taggers.by_name import load_by_name  # noqa: PLC0415
    from leanner.taggers.errors import TaggerError  # noqa: PLC0415

    try:
        with errors.status(f"exporting {configuration.name}, and comparing its spans"):
            tagger = load_by_name(args.tagger, args.device, labels=args.tagger_labels)
            lean = export(tagger, configuration.name, configuration.passes, args.out, force=args.force)
    except (ExportError, TaggerError, WrongOrder) as error:
        errors.print(f"leanner export: {error}")
        return 2
    except NotRunnable as error:
        errors.print(f"leanner export: {configuration.name} cannot run here: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner export: {error.filename or args.out}: cannot be written: {error.strerror}")
        return 2
    for text in lean.quality:
        errors.print(f"leanner export: {text}")
    size = sum(file.stat().st_size for file in args.out.iterdir()) / 1e6
    Console(markup=False, highlight=False, soft_wrap=True).print(
        f"{args.out}: {args.tagger} in {configuration.name}, {size:.1f} MB"
    )
    return 0
