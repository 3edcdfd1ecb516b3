from __future__ import annotations

from rich.console import Console

from leanner.peers.result import Peers
from leanner.peers.result import Rates
from leanner.peers.result import Row
from leanner.peers.result import Share
from leanner.peers.table import render
from leanner.report.costs import Speedup
from leanner.report.record import CorpusInfo
from leanner.report.table import WIDE
from leanner.scoring.bootstrap import F1Loss


CEILING = Rates("2 × 3 by 3 × 4 to uint8", 970e9, 1.2e12)


def shown(*rows: Row, int8_ceiling: Rates | None = CEILING) -> str:
    corpus = CorpusInfo("made up", "0" * 64, 2000, 50_000, 3000, 100)
    float32 = Rates("2 × 3 by 3 × 4 to float32", None, 157e9)
    peers = Peers(
        rows, "bundled", "0" * 64, corpus, 640, int8_ceiling, float32, {"threads": 2}, {"openvino": "2026"}, 0
    )
    console = Console(width=WIDE, highlight=False)
    with console.capture() as capture:
        console.print(render(peers))
    return capture.get()


def row(name: str) -> Row:
    return Row(
        name,
        runtime="lean",
        setting={"batch_tokens": 2048},
        prepare_s=3.21,
        rounds_s=(2.0, 1.0, 3.0),
        sentences_per_s=320.0,
        f1=0.5962,
        f1_drop=F1Loss(-0.001, -0.434, 0.371, 0.95, 10_000, 100, 3000),
        speedup=Speedup(4.183, 4.1, 4.256, "flair", paired=True),
        against_engines=Speedup(0.9, 0.89, 0.91, "openvino-int8", paired=True),
        int8_operations=1e12,
        float_operations=1e9,
        operations_per_s=5e11,
        ceiling_share=Share(0.5155, 0.4, 0.613),
        most_share=0.42,
        quality=("weights have 7 bits",),
    )


def test_a_row_has_everything_that_was_seen() -> None:
    text = shown(row("lean-int8-static-prefix-heads-ffn-ls-50"))
    line = next(line for line in text.splitlines() if "heads" in line)
    cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
    assert cells == [
        "lean-int8-static-prefix-heads-ffn-ls-50",
        "2048",
        "320.0",
        "4.18 [4.10, 4.26]",
        "0.90 [0.89, 0.91]",
        "0.5962",
        "0.00 [-0.43, 0.37]",
        "500",
        "52 % [40, 61]",
        "42 %",
        "3.2",
    ]
    in_int8 = "int8 970 Gop/s in the median of 2 × 3 by 3 × 4 to uint8, a single run of a product 1200 Gop/s at most"
    assert (
        f"ceiling: {in_int8}; float32 a single run of a product 157 Gop/s at most; of ceiling: each round over" in text
    )
    assert "3 rounds of 640 sentences each" in text
    assert "heads-ffn-ls-50: weights have 7 bits" in text
    assert "…" not in text


def test_what_is_unknown_is_a_dash_and_has_its_reason() -> None:
    text = shown(Row("openvino-int8", reason="openvino needs nncf"), int8_ceiling=None)
    line = next(line.split() for line in text.splitlines() if line.split()[:1] == ["openvino-int8"])
    assert line[1:] == ["-"] * 10
    assert "openvino-int8 did not take part: openvino needs nncf" in text
    assert "int8 unknown" in text


def test_a_loss_without_an_interval_is_a_number_alone() -> None:
    few = F1Loss(1.5, None, None, 0.95, 0, 3, 10, "3 articles")
    text = shown(Row("flair", rounds_s=(1.0,), f1=0.5, f1_drop=few))
    assert " 1.50 " in text
