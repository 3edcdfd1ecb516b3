"""An exported tagger serves texts one by one, with the spans that it gives them all at once."""

from __future__ import annotations

import asyncio
import re

from pathlib import Path

import pytest

from bench import REPOSITORY
from export.made import TEXTS
from export.made import exported
from export.made import shaped


@pytest.mark.parametrize("by_length", [False, True])
def test_the_spans_are_the_same(shaped_file: Path, tmp_path: Path, *, by_length: bool) -> None:
    tagger = exported(shaped(shaped_file), tmp_path / "out")
    texts = [f"{one} {other}" for one in TEXTS for other in TEXTS]
    expected = list(tagger.tag_texts(texts))

    async def tag() -> None:
        async with tagger.serve(4, by_length=by_length) as served:
            assert await asyncio.gather(*map(served.tag, texts)) == expected
            (sentence,) = await served.tag_sentences([TEXTS[0]])
            assert sentence == next(tagger.tag_texts([TEXTS[0]]))

    asyncio.run(tag())
    assert sum(map(len, expected)) > 0


def test_the_example_of_the_documentation(
    shaped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (REPOSITORY / "docs" / "serving.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page.partition("## How batches form")[0], re.DOTALL)
    tagger = exported(shaped(shaped_file), tmp_path / "tagger")
    monkeypatch.chdir(tmp_path)

    exec(compile(example, "docs/serving.md", "exec"), {"__name__": "example"})

    texts = ["Loss of PTEN is common in glioma.", "Mouse p53 suppresses tumours."]
    assert capsys.readouterr().out == "".join(f"{spans}\n" for spans in tagger.tag_texts(texts))
