"""From a tagger and its passes to a folder that needs neither again."""

from __future__ import annotations

import secrets
import shutil

from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from leanner.atomic import sync_folder
from leanner.export.files import Applied
from leanner.export.files import write_graph
from leanner.export.files import write_layers
from leanner.export.lean import Lean
from leanner.export.manifest import ALL_FILES
from leanner.export.manifest import MANIFEST
from leanner.export.manifest import Graph
from leanner.passes.calibration.text import calibration_text
from leanner.passes.engines import EnginePass
from leanner.passes.runtime import LeanRuntime
from leanner.taggers.compiling import RUNTIME
from leanner.taggers.engines.support import version_of
from leanner.taggers.engines.tagger import EngineTagger
from leanner.taggers.errors import TaggerError
from leanner.taggers.lean.support import reason_against_blocks
from leanner.taggers.lean.tagger import LeanTagger
from leanner.taggers.lean.text_tagger import LeanTextTagger
from leanner.taggers.libraries import FLAIR
from leanner.taggers.weights import weigh


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass
    from leanner.taggers.protocol import Tagger
    from leanner.types import Document


class ExportError(RuntimeError):
    """A tagger cannot be exported; the message says what was expected, what was found and what to do."""


def export(
    tagger: Tagger,
    configuration: str,
    passes: Sequence[Pass],
    folder: Path,
    *,
    force: bool = False,
    check: Sequence[Document] | None = None,
) -> Lean:
    """Apply passes to a tagger, write the result, and return it as it is loaded again.

    A configuration that is measured in Flair is exported in the lean runtime, one that an engine runs as the engine's
    files. The folder takes its name when it is whole and, loaded again, has given the same spans as the tagger.

    Args:
        tagger: Run by Flair or transformers; passes change it.
        configuration: Name of the passes.
        passes: Applied in this order.
        folder: Must be empty or not there.
        force: Whether an export that lies there is replaced.
        check: What both tag before the folder takes its name; the calibration text if ``None``.

    Raises:
        ExportError: There is something in ``folder``, a pass has no file format, or the spans differ.
        TaggerError: The tagger has parts of which an export has none.
        NotRunnable: A pass cannot run here.
        OSError: A file cannot be written.
    """
    for each in passes:
        if getattr(each, "runtime", None) == RUNTIME:
            raise ExportError(
                f"{configuration}: what TorchInductor compiled has no file format; export a configuration of the lean "
                "runtime, onnxruntime-… or openvino-…"
            )
        if getattr(each, "cuda_graphs", False):
            raise ExportError(
                f"{configuration}: CUDA graphs are of a process and its GPU; export it without, lean-fp16"
            )
    target = folder.resolve()
    _check_target(target, force=force)
    last = passes[-1] if passes else None
    engine = last if isinstance(last, EnginePass) else None
    for each in passes if engine is None else passes[:-1]:
        tagger = each(tagger)
    made: LeanTagger | LeanTextTagger | EngineTagger
    if engine is None:
        made, write = _in_lean_runtime(tagger, configuration, passes)
    else:
        made, write = _in_engine(tagger, configuration, passes, engine)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        beside.mkdir()
        write(beside)
        lean = Lean.load(beside, made.device)
        _check_spans(made, lean, calibration_text() if check is None else check)
        _rename(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return lean


def _in_lean_runtime(
    tagger: Tagger, configuration: str, passes: Sequence[Pass]
) -> tuple[LeanTagger | LeanTextTagger, Callable[[Path], None]]:
    """Return the tagger in the lean runtime, and what writes it into a folder."""
    if tagger.runtime != "lean":
        library = "Flair" if tagger.runtime == FLAIR else tagger.runtime
        tagger.quality.append(
            f"{configuration} was measured in {library}, this is the lean runtime: with layers of floats its spans are "
            "the same but for ties, with integers they can differ; the lean-… configurations are measured as exported"
        )
        passes = (*passes, LeanRuntime())
        tagger = passes[-1](tagger)
    if not isinstance(tagger, LeanTagger | LeanTextTagger):
        raise TaggerError(
            f"expected a tagger in the lean runtime, found {type(tagger).__name__}, of which an export has "
            "not all parts"
        )
    if (reason := reason_against_blocks(tagger.parts.encoder)) is not None:
        raise TaggerError(reason)
    return tagger, partial(write_layers, tagger, Applied.of(configuration, passes))


def _in_engine(
    tagger: Tagger, configuration: str, passes: Sequence[Pass], engine: EnginePass
) -> tuple[EngineTagger, Callable[[Path], None]]:
    """Return the tagger that the engine runs, and what writes it into a folder.

    Args:
        tagger: Passes before the engine's have been applied.
        configuration: Name of the passes.
        passes: The engine's is the last of them.
        engine: That one.
    """
    lean, model = engine.converted(tagger)
    made = EngineTagger(lean, model.engine(), model.stored())
    graph = Graph(engine.runtime, version_of(engine.runtime), model.weight_bits, weigh(made.model))
    return made, partial(write_graph, lean, model, graph, Applied.of(configuration, passes))


def _check_target(target: Path, *, force: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir():
        raise ExportError(f"expected an empty folder or none at {target}, found a file; name another")
    names = {path.name for path in target.iterdir()}
    if MANIFEST not in names or names - ALL_FILES:
        raise ExportError(
            f"expected an empty folder or none at {target}, found one with other files than an export's; name another"
        )
    if not force:
        raise ExportError(
            f"expected an empty folder or none at {target}, found an export; name another, or replace it with --force"
        )


def _check_spans(tagger: LeanTagger | LeanTextTagger | EngineTagger, lean: Lean, documents: Sequence[Document]) -> None:
    pairs = zip(tagger.tag(documents), lean.tag(documents), strict=True)
    different = sum(a != b for expected, found in pairs for a, b in zip(expected, found, strict=True))
    if different:
        raise ExportError(
            f"expected the same spans from the export as from the tagger, found others in {different} of "
            f"{sum(len(document.sentences) for document in documents)} sentences; nothing was written. "
            "This is an error of leanner: please report it"
        )


def _rename(beside: Path, target: Path) -> None:
    """Give the whole folder its name, and remove what had it."""
    sync_folder(beside)
    aside = None
    if target.exists():
        aside = target.with_name(f"{beside.name}.old")
        target.rename(aside)
    try:
        beside.rename(target)
    except OSError:
        if aside is not None:
            aside.rename(target)
        raise
    sync_folder(target.parent)
    if aside is not None:
        shutil.rmtree(aside)
