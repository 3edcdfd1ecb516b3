"""The ``--leanner-…`` options: each a command-line flag, else an ini value of the same name, else a default."""

from __future__ import annotations

import math

from dataclasses import asdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.corpora.environment import corpora_from_environment
from leanner.taggers.libraries import HF


if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True, slots=True)
class Options:
    """How the cases are to be run."""

    tagger: str
    tagger_labels: str | None
    corpora: tuple[str, ...]
    sentences: int | None
    round_sentences: int
    seed: int
    on_bad_document: str
    energy: str
    watts_per_core: float | None
    interval_s: float
    device: str
    batch_size: int
    seconds: float
    precision_pct: float
    slo_ms: float | None
    idle_s: float
    interleave: bool
    isolate: bool
    lock: str
    journal: str | None
    resume: str | None
    record_meters: str | None
    replay_meters: str | None
    compare: str | None
    compare_fail: tuple[str, ...]
    compare_gates: str | None
    compare_store: str | None
    compare_across_machines: bool
    aa: bool
    strict: bool
    everything: bool

    def to_json(self) -> dict[str, Any]:
        """Return every option and its value as JSON-ready built-ins."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "energy": ("auto", "require", "estimate", "off"),
    "device": ("auto", "cpu", "cuda"),
    "on-bad-document": ("error", "skip"),
    "lock": ("wait", "fail", "off"),
}

#: Numbers that make no sense at or below zero.
_POSITIVE: Final = frozenset({"sentences", "watts-per-core", "interval", "batch-size", "precision", "slo-ms"})

#: Numbers that make no sense below zero.
_NOT_NEGATIVE: Final = frozenset({"round-sentences", "seconds", "idle"})

#: Options that say how to compare, and nothing where nothing is compared.
_OF_COMPARING: Final = ("compare-fail", "compare-gates", "compare-store", "compare-across-machines")

#: What an option that may stand without a value stands for then.
_BARE: Final[dict[str, str]] = {"compare": "baseline"}

#: A second spelling of an option.
_ALIASES: Final[dict[str, str]] = {"aa": "--aa"}

#: Values of repeatable options, as the help names them.
_METAVARS: Final[dict[str, str]] = {"corpora": "CORPUS", "compare-fail": "METRIC:THRESHOLD"}

#: name, type, default, help; a type of ``bool`` makes a flag, of ``list`` a repeatable option.
_OPTIONS: Final[tuple[tuple[str, Any, Any, str], ...]] = (
    (
        "tagger",
        str,
        "bundled",
        (
            "the tagger: bundled, hunflair2, a file saved by Flair (a pickle: trust its source), or hf: and the folder "
            "or the hub's name of a token-classification checkpoint"
        ),
    ),
    (
        "tagger-labels",
        str,
        None,
        "label map (TOML or JSON) of such a checkpoint, where its labels do not say what they are",
    ),
    (
        "corpora",
        list,
        (),
        (
            "corpora: bundled, a folder of native files, or NAME=PATH for your own; repeatable "
            "(default: $LEANNER_CORPORA, else bundled)"
        ),
    ),
    ("sentences", int, None, "take a seeded sample of whole articles with about this many sentences"),
    (
        "round-sentences",
        int,
        160,
        "a round tags whole articles with about this many sentences of the corpus; F1 is of all; 0: all of it",
    ),
    ("seed", int, 0, "seed of the samples (corpus, rounds, latency) and of the bootstrap"),
    ("on-bad-document", str, "error", "stop at a document that breaks its format, or skip and count it"),
    ("energy", str, "auto", "joules: from the meters that are here, required, estimated from CPU time, or off"),
    ("watts-per-core", float, None, "watts of one busy core, for --leanner-energy=estimate"),
    ("interval", float, 0.1, "seconds between two samples of power and memory"),
    ("device", str, "auto", "where cases run: cpu, cuda, or auto (cpu; with -m gpu cuda)"),
    ("batch-size", int, 32, "mini-batch size that Flair or transformers is given"),
    (
        "seconds",
        float,
        12.0,
        (
            "time for the rounds of one case; never fewer than 10 rounds, nor more than 50; where a meter needs longer "
            "windows than a round, these are counted"
        ),
    ),
    (
        "precision",
        float,
        2.0,
        (
            "percent to which the interval of the rounds' median is to bound it; sets the number of rounds, or of the "
            "windows that they share"
        ),
    ),
    (
        "slo-ms",
        float,
        None,
        "look for the highest rate at which 99 %% of the requests of a served case are answered within so many ms",
    ),
    ("idle", float, 5.0, "seconds of rest around each case whose power is subtracted, where there is a meter"),
    ("interleave", bool, False, "run baseline rounds between a case's rounds, so that drift hits both alike"),
    ("isolate", bool, False, "run each case in a fresh process"),
    ("lock", str, "wait", "if another run measures on the device: wait for its end, fail, or take no notice"),
    ("journal", str, None, "file to which each finished case is appended at once (default: beside --benchmark-json)"),
    ("resume", str, None, "journal of a run that was cut off: its finished cases are not measured again"),
    ("record-meters", str, None, "folder for the raw traces of every metered window"),
    ("replay-meters", str, None, "folder of such traces, to take joules from instead of this machine's meters"),
    (
        "compare",
        str,
        None,
        (
            "hold this run against another when it ends: a file, an id or a revision as for leanner compare, or, "
            "without a value, what was accepted on this machine; needs --benchmark-json"
        ),
    ),
    ("compare-fail", list, (), "what must not get worse then, as --fail-on of leanner compare; repeatable"),
    ("compare-gates", str, None, "TOML file of gates, for all or by configuration, as --gates of leanner compare"),
    (
        "compare-store",
        str,
        None,
        "folder of stored runs, as --store of leanner compare (default: .leanner of the project)",
    ),
    ("compare-across-machines", bool, False, "compare what differs in machine, corpus or tagger, and mark it"),
    (
        "aa",
        bool,
        False,
        "A/A control: measure the baseline twice, interleaved, and say how often gates alarm; needs --benchmark-json",
    ),
    ("strict", bool, False, "an inconclusive F1 loss fails the case"),
    ("all", bool, False, "run every configuration, not only the default ones"),
)


def add_options(parser: pytest.Parser) -> None:
    """Register every option and its ini value."""
    group = parser.getgroup("leanner", "lean biomedical NER")
    for name, kind, default, meaning in _OPTIONS:
        flag = f"--leanner-{name}"
        flags = [flag, *filter(None, [_ALIASES.get(name)])]
        text = f"{meaning} (default: {default})" if default not in (None, False, ()) else meaning
        if kind is bool:
            group.addoption(*flags, action="store_true", default=None, help=text)
            parser.addini(f"leanner-{name}", text, type="bool", default=False)
        elif kind is list:
            group.addoption(flag, action="append", default=None, metavar=_METAVARS[name], help=text)
            parser.addini(f"leanner-{name}", text, type="args", default=[])
        else:
            choices = _CHOICES.get(name)
            metavar = None if choices else name.upper()
            bare: dict[str, Any] = {"nargs": "?", "const": _BARE[name]} if name in _BARE else {}
            group.addoption(flag, type=kind, choices=choices, default=None, metavar=metavar, help=text, **bare)
            parser.addini(f"leanner-{name}", text, type="string", default=None)


def read_options(config: pytest.Config) -> Options:
    """Return the options of this run.

    Raises:
        pytest.UsageError: A value is out of range, or an ini value not of its option's type or choices.
    """
    values = {name: _value(config, name, kind, default) for name, kind, default, _ in _OPTIONS}
    import pytest  # noqa: PLC0415 - the command line reads options without pytest

    for name in _POSITIVE:
        if values[name] is not None and not 0 < values[name] < math.inf:
            raise pytest.UsageError(f"expected --leanner-{name} above 0 and finite, found {values[name]}")
    for name in _NOT_NEGATIVE:
        if not 0 <= values[name] < math.inf:
            raise pytest.UsageError(f"expected --leanner-{name} of 0 or more and finite, found {values[name]}")
    if values["tagger-labels"] is not None and not values["tagger"].startswith(HF):
        raise pytest.UsageError(
            f"expected --leanner-tagger={HF}… beside --leanner-tagger-labels, found {values['tagger']}"
        )
    # An ini value may say how to compare the runs of which a flag asks for it.
    given = [name for name in _OF_COMPARING if config.getoption(f"--leanner-{name}")]
    if given and values["compare"] is None and not values["aa"]:
        raise pytest.UsageError(f"expected --leanner-compare or --leanner-aa beside --leanner-{given[0]}, found none")
    return Options(
        tagger=values["tagger"],
        tagger_labels=values["tagger-labels"],
        corpora=tuple(values["corpora"]) or corpora_from_environment(),
        sentences=values["sentences"],
        round_sentences=values["round-sentences"],
        seed=values["seed"],
        on_bad_document=values["on-bad-document"],
        energy=values["energy"],
        watts_per_core=values["watts-per-core"],
        interval_s=values["interval"],
        device=values["device"],
        batch_size=values["batch-size"],
        seconds=values["seconds"],
        precision_pct=values["precision"],
        slo_ms=values["slo-ms"],
        idle_s=values["idle"],
        interleave=values["interleave"],
        isolate=values["isolate"],
        lock=values["lock"],
        journal=values["journal"],
        resume=values["resume"],
        record_meters=values["record-meters"],
        replay_meters=values["replay-meters"],
        compare=values["compare"],
        compare_fail=tuple(values["compare-fail"]),
        compare_gates=values["compare-gates"],
        compare_store=values["compare-store"],
        compare_across_machines=values["compare-across-machines"],
        aa=values["aa"],
        strict=values["strict"],
        everything=values["all"],
    )


def _value(config: pytest.Config, name: str, kind: Any, default: Any) -> Any:  # noqa: ANN401 - one per option
    given = config.getoption(f"--leanner-{name}")
    if given is not None:
        return given
    import pytest  # noqa: PLC0415 - the command line reads options without pytest

    ini: Any = None
    try:
        ini = config.getini(f"leanner-{name}")
        if ini in (None, "", []):
            return default
        if kind in (bool, list):
            return ini
        value = kind(ini)
    except (pytest.UsageError, TypeError, ValueError) as error:
        found = f"found {ini!r}" if ini is not None else str(error)
        raise pytest.UsageError(f"{config.inipath}: expected leanner-{name} = {kind.__name__}, {found}") from error
    if name in _CHOICES and value not in _CHOICES[name]:
        raise pytest.UsageError(
            f"{config.inipath}: expected leanner-{name} = one of {', '.join(_CHOICES[name])}, found {ini!r}"
        )
    return value
