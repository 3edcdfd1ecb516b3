"""An output that was cut off anywhere is gone on with, and ends as if it had not been."""

from __future__ import annotations

import json

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from leanner.tagging.opening import Existing
from leanner.tagging.opening import open_output
from leanner.tagging.outputs import rendered
from leanner.tagging.resume import About
from leanner.tagging.resume import ResumeError
from leanner.tagging.resume import about_path
from leanner.tagging.text import Form
from leanner.tagging.text import Text
from leanner.types import Label
from leanner.types import Span


TEXTS = [
    Text("1", "p53 in mice", Path("in"), 1, 10),
    Text("2", "", Path("in"), 2, 20),
    Text(3, "é😀 rose\n\nIL-6", Path("in"), 3, 30, members={"id": 3, "text": "é😀 rose\n\nIL-6", "x": [0.1, None]}),
    Text("4", "Title Abstract", Path("in"), 4, 40, title=5),
]
FORMS = st.sampled_from([Form.JSONL, Form.PUBTATOR])


def about(form: Form, model: str = "a" * 64) -> About:
    return About(model, "tagger in lean", form.value)


def block(text: Text, form: Form) -> bytes:
    return rendered(text, [Span(0, 3, Label.GENE)] if text.text else [], form)


def write(path: Path, form: Form, texts: list[Text], existing: Existing = "refuse", model: str = "a" * 64) -> int:
    remaining: Iterator[Text] = iter(texts)
    with open_output(path, about(form, model), remaining, existing) as (out, passed):
        for text in remaining:
            out.write(block(text, form))
    return passed


@settings(deadline=None)
@given(FORMS, st.data())
def test_wherever_it_was_cut_off(form: Form, data: st.DataObject) -> None:
    blocks = [block(text, form) for text in TEXTS]
    whole = b"".join(blocks)
    cut = data.draw(st.integers(0, len(whole)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        write(path, form, TEXTS)
        assert path.read_bytes() == whole
        path.write_bytes(whole[:cut])
        passed = write(path, form, TEXTS, "resume")
        assert path.read_bytes() == whole
        # What was whole is not tagged again.
        ends = [len(b"".join(blocks[: number + 1])) for number in range(len(blocks))]
        assert passed == sum(text.size for text, end in zip(TEXTS, ends, strict=True) if end <= cut)


@pytest.mark.parametrize("form", [Form.JSONL, Form.PUBTATOR])
def test_what_does_not_fit_is_refused_and_left_as_it_is(tmp_path: Path, form: Form) -> None:
    path = tmp_path / "out"
    write(path, form, TEXTS[:2])
    before = path.read_bytes()
    other = Form.PUBTATOR if form is Form.JSONL else Form.JSONL
    changed = Text("1", "p53 in rats", Path("in"), 1, 10)
    cases: list[tuple[list[Text], Existing, Form, str, str]] = [
        (TEXTS, "refuse", form, "a" * 64, "expected no output at .*, found one; go on with it by --resume"),
        (
            TEXTS,
            "resume",
            form,
            "b" * 64,
            r"expected the output of .*\(b{12}\) .*, found that of .*\(a{12}\)",
        ),
        (
            TEXTS,
            "resume",
            other,
            "a" * 64,
            f"expected the output .* as {other.value}, found .* as {form.value}",
        ),
        (TEXTS[1:], "resume", form, "a" * 64, "expected document 1 to be '2' of in:2, found another"),
        ([changed, *TEXTS[1:]], "resume", form, "a" * 64, "expected document 1 to be '1' of in:1, found another, or"),
        (TEXTS[:1], "resume", form, "a" * 64, "expected no more documents than the input has, 1, found more"),
    ]
    for texts, existing, asked, model, message in cases:
        with pytest.raises(ResumeError, match=message):
            write(path, asked, texts, existing, model)
        assert path.read_bytes() == before
    for content in (b"", b"{", b"[]", b"{}"):
        about_path(path).write_bytes(content)
        with pytest.raises(ResumeError, match=r"to say which model made|found that of None \(None\) as None"):
            write(path, form, TEXTS, "resume")
    about_path(path).unlink()
    with pytest.raises(ResumeError, match=r"out\.about\.json to say which model made .*, found none; name another"):
        write(path, form, TEXTS, "resume")
    assert path.read_bytes() == before
    write(path, form, TEXTS, "overwrite")
    assert path.read_bytes() == b"".join(block(text, form) for text in TEXTS)


def test_a_line_that_is_no_document_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write(path, Form.JSONL, TEXTS)
    path.write_bytes(b"\x00" * 40 + b"\n")
    with pytest.raises(ResumeError, match="expected document 1 to be '1'"):
        write(path, Form.JSONL, TEXTS, "resume")


def test_nothing_there_is_begun_and_everything_there_is_left(tmp_path: Path) -> None:
    path = tmp_path / "out"
    assert write(path, Form.JSONL, TEXTS, "resume") == 0
    whole = path.read_bytes()
    assert write(path, Form.JSONL, TEXTS, "resume") == sum(text.size for text in TEXTS)
    assert path.read_bytes() == whole
    assert json.loads(about_path(path).read_text()) == {
        "model": "a" * 64,
        "tagger": "tagger in lean",
        "form": "jsonl",
    }
    # What was begun for another model and never written to is begun anew.
    path.write_bytes(b"")
    assert write(path, Form.JSONL, TEXTS, "resume", "b" * 64) == 0
    assert path.read_bytes() == whole


def test_what_another_export_wrote_never_lies_beside_a_file_that_names_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    write(path, Form.JSONL, TEXTS)

    def killed(output: Path, _: About) -> None:
        assert output.read_bytes() == b""
        raise KeyboardInterrupt

    monkeypatch.setattr("leanner.tagging.opening.begin", killed)
    with pytest.raises(KeyboardInterrupt):
        write(path, Form.JSONL, TEXTS, "overwrite", "b" * 64)
    monkeypatch.undo()
    assert write(path, Form.JSONL, TEXTS, "resume", "b" * 64) == 0


def test_a_device_is_written_to(tmp_path: Path) -> None:
    write(Path("/dev/null"), Form.JSONL, TEXTS)
    assert not Path("/dev/null.about.json").exists()
    assert list(tmp_path.iterdir()) == []
