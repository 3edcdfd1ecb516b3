from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from leanner.compare.metrics import BY_NAME
from leanner.compare.thresholds import ThresholdError
from leanner.compare.thresholds import gates
from leanner.compare.thresholds import parse


if TYPE_CHECKING:
    from pathlib import Path


def test_grammar() -> None:
    (time,) = parse("time:5%")
    host, vram = parse("memory:5%+8MB")
    (f1,) = parse("f1:0.3pt")

    assert (time.metric.name, time.percent, time.absolute) == ("time", 5.0, None)
    assert [(each.metric.name, each.percent, each.absolute) for each in (host, vram)] == [
        ("host", 5.0, 8.0),
        ("vram", 5.0, 8.0),
    ]
    assert (f1.metric.name, f1.percent, f1.absolute) == ("f1", None, 0.3)
    assert list(map(str, (time, host, f1))) == ["5%", "5%+8MB", "0.3pt"]
    assert parse("f1.GENE:1pt")[0].metric.label == "GENE"


def test_both_parts_must_be_exceeded() -> None:
    (host, _) = parse("memory:5%+8MB")

    assert host.limit(100.0) == 8.0
    assert host.limit(1000.0) == 50.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time", "expected METRIC:THRESHOLD"),
        ("speed:5%", "expected one of the metrics time, p99"),
        ("time:5", "expected numbers with units"),
        ("time:5%+6%", "expected numbers with units"),
        ("time:-5%", "expected numbers with units"),
        ("time:5MB", "expected time in % or s, found MB"),
        ("f1:1%", "expected f1 in pt, found %"),
        ("time:1e999%", "expected numbers with units"),
    ],
    ids=["size", "name", "unit", "twice", "sign", "other-unit", "f1", "huge"],
)
def test_what_is_none(text: str, said: str) -> None:
    with pytest.raises(ThresholdError, match=said):
        parse(text)


def test_the_command_line_stands_above_the_file_and_below_its_configurations(tmp_path: Path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text('[gates]\ntime = "5%"\nenergy = "4%"\n[gates."lean-int8"]\ntime = "9%"\nenergy = "off"\n')
    found = gates(["time:7%"], file)

    def of(configuration: str, metric: str) -> str:
        return str(found.of(configuration, BY_NAME[metric]))

    assert [of("fp32", "time"), of("fp32", "energy"), of("fp32", "f1")] == ["7%", "4%", "None"]
    assert [of("lean-int8", "time"), of("lean-int8", "energy")] == ["9%", "None"]


def test_without_a_word_the_usual_is_gated() -> None:
    found = gates()
    assert {name: str(each) for name, each in found.general.items()} == {
        "time": "5%",
        "energy": "5%",
        "host": "5%+8MB",
        "vram": "5%+8MB",
        "f1": "0.3pt",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("time = ", "expected TOML"),
        ('time = "5%"', r"expected the table \[gates\]"),
        ("[gates]\ntime = 5", r"gates.time: expected a text such as"),
        ('[gates.bf16]\nspeed = "5%"', r"gates.bf16: .*expected one of the metrics"),
        ('[gates]\nspeed = "off"', "expected one of the metrics"),
    ],
    ids=["toml", "table", "number", "metric", "off"],
)
def test_a_file_that_is_none(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(content)

    with pytest.raises(ThresholdError, match=said):
        gates((), file)
