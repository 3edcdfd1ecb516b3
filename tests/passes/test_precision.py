from __future__ import annotations

from pathlib import Path

import cpuinfo
import pytest
import torch

from leanner.passes.precision import Precision
from leanner.passes.precision import multiplies_bfloat16
from leanner.passes.protocol import NotRunnable
from leanner.passes.protocol import Particular
from leanner.passes.protocol import WrongOrder
from leanner.passes.quantization import Int8Dynamic
from leanner.taggers.load import load_tagger
from leanner.taggers.weights import weigh
from leanner.types import Document
from leanner.types import Label
from leanner.types import Sentence
from measure.fakes import Forget


DOCUMENT = Document(
    "1",
    "test",
    "1",
    frozenset(Label),
    (Sentence("Loss of PTEN is common."), Sentence("p53"), Sentence("Mouse and man."), Sentence(" ")),
)


@pytest.fixture
def with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this CPU pass for one with bfloat16: what is slow on the others is right all the same."""
    monkeypatch.setattr("leanner.passes.precision.multiplies_bfloat16", lambda: True)


@pytest.mark.usefixtures("with_bfloat16")
def test_bfloat16_casts_everything_and_still_tags(shaped_file: Path) -> None:
    tagger = load_tagger(str(shaped_file), mini_batch_size=2)
    before = weigh(tagger.model)
    leaner = Precision("bfloat16")(tagger)
    after = weigh(leaner.model)
    assert set(after.bytes_by_dtype) == {"bfloat16"}
    assert after.weights_mb == before.weights_mb / 2
    assert after.parameters == before.parameters
    (prediction,) = leaner.tag([DOCUMENT])
    assert len(prediction) == 4
    assert any(prediction)


@pytest.mark.usefixtures("with_bfloat16")
def test_scores_move_by_the_rounding_only(shaped_file: Path) -> None:
    scores = []
    for passes in ((), (Precision("bfloat16"),)):
        tagger = load_tagger(str(shaped_file))
        for one in passes:
            one(tagger)
        head = tagger.model.get_submodule("linear")
        head.register_forward_hook(lambda _module, _inputs, output: scores.append(output.float()))
        list(tagger.tag([DOCUMENT]))
    exact, rounded = scores
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).norm() < 0.05 * exact.norm()


def test_it_describes_itself() -> None:
    assert Precision("bfloat16").describe() == {"name": "bf16", "dtype": "bfloat16"}
    assert Precision("float16").describe() == {"name": "fp16", "dtype": "float16"}
    with pytest.raises(ValueError, match="expected bfloat16 or float16, found 'float8'"):
        Precision("float8")  # type: ignore[arg-type]


def test_a_cpu_without_bfloat16_does_not_run_it(shaped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanner.passes.precision.multiplies_bfloat16", lambda: False)
    tagger = load_tagger(str(shaped_file))
    with pytest.raises(NotRunnable, match="no instructions for bfloat16") as told:
        Precision("bfloat16")(tagger)
    assert str(told.value) in Precision("bfloat16").refusals("cpu", None)
    assert set(weigh(tagger.model).bytes_by_dtype) == {"float32"}


def test_who_has_bfloat16_is_told_by_the_cpu() -> None:
    # oneDNN wants AVX512BW at least; on Arm its own flag.
    flags = set(cpuinfo.get_cpu_info()["flags"])
    assert multiplies_bfloat16() == bool(flags & {"avx512bw", "bf16"})


def test_float16_is_not_run_on_a_cpu(shaped_file: Path) -> None:
    with pytest.raises(NotRunnable, match="float16 needs CUDA, found cpu") as told:
        Precision("float16")(load_tagger(str(shaped_file)))
    assert str(told.value) in Precision("float16").refusals("cpu", None)


@pytest.mark.usefixtures("with_bfloat16")
@pytest.mark.parametrize(
    ("where", "name", "value", "reason"),
    [("", "use_crf", True, "CRF in float32"), ("embeddings", "subtoken_pooling", "mean", "averages sub-tokens")],
)
def test_what_flair_has_in_float32_only(shaped_file: Path, where: str, name: str, value: object, reason: str) -> None:
    tagger = load_tagger(str(shaped_file))
    setattr(tagger.model.get_submodule(where), name, value)
    with pytest.raises(NotRunnable, match=reason) as told:
        Precision("bfloat16")(tagger)
    assert str(told.value) in Precision("bfloat16").refusals("cpu", None)


def test_reasons_to_be_left_out_are_those_of_the_device() -> None:
    on_gpu = Precision("bfloat16").refusals("cuda", "Tesla T4")
    assert on_gpu[0] == "Tesla T4 has no bfloat16"
    assert set(Precision("float16").refusals("cuda:1", "Tesla T4")) == set(on_gpu[1:])
    for precision in (Precision("bfloat16"), Precision("float16"), Forget(2)):
        assert isinstance(precision, Particular) is isinstance(precision, Precision)


@pytest.mark.usefixtures("with_bfloat16")
def test_after_int8_it_is_refused(shaped_file: Path) -> None:
    with pytest.raises(WrongOrder, match="bf16 after int8"):
        Precision("bfloat16")(Int8Dynamic()(load_tagger(str(shaped_file))))
