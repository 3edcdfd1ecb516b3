"""Whether docs/comparing.md shows what the example prints."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from bench import REPOSITORY
from compare import example


if TYPE_CHECKING:
    import pytest


def test_the_worked_example(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEANNER_CORPORA", raising=False)
    example.run()
    printed = capsys.readouterr().out
    text = (REPOSITORY / "docs" / "comparing.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- example:begin -->\n```\n")[2].partition("```\n<!-- example:end -->")[0]

    assert _lines(shown) == _lines(printed)


def _lines(text: str) -> list[str]:
    # ends of ids are digests of reports, which name versions of libraries
    return [re.sub(r"ffffffff-[0-9a-f]{8}", "ffffffff-…", line.rstrip()) for line in text.splitlines()]
