from __future__ import annotations

import csv
import io

import pytest

from leanner.report.costs import Sparsity
from leanner.report.paper.rows import as_csv
from report.records import baseline
from report.records import energy
from report.records import not_run
from report.records import record


def test_a_line_for_each_case_and_unknown_is_empty_with_its_reason() -> None:
    pruned = record("pruned", energy=energy(20.0), sparsity=Sparsity(0.5, 0.49), unknown={})
    rows = list(csv.DictReader(io.StringIO(as_csv([baseline(), record(), pruned, not_run()]))))

    assert [row["configuration"] for row in rows] == ["fp32", "bf16", "pruned", "fp16"]
    fp32, bf16, zeros, fp16 = rows
    assert (fp32["f1_micro"], fp32["f1_species"]) == ("0.8", "")
    assert (bf16["f1_loss_pt"], bf16["f1_loss_low_pt"], bf16["f1_loss_high_pt"]) == ("0.1", "-0.05", "0.25")
    assert float(bf16["s_per_1000_sentences"]) == pytest.approx(2.25)
    assert bf16["j_per_1000_sentences"] == ""
    assert "energy: cpu_package: this machine shows no RAPL zone" in bf16["unknown"]
    assert [float(zeros[f"j_per_1000_sentences{end}"]) for end in ("", "_low", "_high")] == [20.0, 19.0, 21.0]
    assert (zeros["sparsity_asked"], zeros["sparsity_found"]) == ("0.5", "0.49")
    assert fp16["verdict"] == "not-run"
    assert {fp16[name] for name in fp16 if name.startswith(("f1", "s_per", "j_", "peak", "on_"))} == {""}


@pytest.mark.parametrize("sign", list("=+-@"))
def test_no_text_is_a_formula(sign: str) -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv([record(f"{sign}cmd|'/c calc'!A1")])))
    assert row["configuration"] == f"'{sign}cmd|'/c calc'!A1"


def test_a_run_without_cases_has_no_lines() -> None:
    assert as_csv([]).strip() == ""
