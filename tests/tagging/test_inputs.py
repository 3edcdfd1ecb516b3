from __future__ import annotations

import gzip
import io
import json
import sys

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.corpora.bad import BadDocuments
from leanner.corpora.native import CorpusError
from leanner.tagging.inputs import STDIN
from leanner.tagging.inputs import read_texts
from leanner.tagging.text import Form
from leanner.tagging.text import Text


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PUBTATOR = "1|t|BRCA1 in mice.\n1|a|Breast cancer.\n1\t0\t5\tBRCA1\tGene\t672\n\n\n2|t|\n2|a|None.\n"


def read(
    folder: Path, name: str, content: str | bytes, form: Form | None = None, *, by_line: bool = False
) -> list[Text]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_texts([path], BadDocuments(), form=form, by_line=by_line))


@given(TEXTS)
def test_a_file_of_plain_text_is_one_document_to_the_character(text: str) -> None:
    with TemporaryDirectory() as folder:
        (found,) = read(Path(folder), "a.txt", text, Form.TEXT)
        assert found.text == text.removeprefix("\ufeff")
        assert (found.id, found.line, found.size) == (f"{folder}/a.txt", 1, len(found.text.encode()))
        assert found.passages == [(0, len(found.text))]


@given(st.lists(TEXTS.filter(lambda text: not set(text) & set("\r\n\ufeff")), min_size=1))
def test_or_each_of_its_lines_is(lines: list[str]) -> None:
    with TemporaryDirectory() as folder:
        for end in ("\n", "\r\n"):
            found = read(Path(folder), "a.txt", "".join(line + end for line in lines), by_line=True, form=Form.TEXT)
            assert [text.text for text in found] == lines
            assert [text.id for text in found] == [f"{folder}/a.txt:{number + 1}" for number in range(len(lines))]


@given(st.lists(st.tuples(st.one_of(TEXTS, st.integers()), TEXTS)), st.booleans())
def test_json_lines_are_read_with_all_their_members(documents: list[tuple[str | int, str]], escaped: bool) -> None:  # noqa: FBT001
    objects: list[dict[str, object]] = [
        {"id": name, "text": text, "year": 1.5, "spans": []} for name, text in documents
    ]
    lines = "\n\n".join(json.dumps(each, ensure_ascii=escaped) for each in objects)
    with TemporaryDirectory() as folder:
        found = read(Path(folder), "a.jsonl", lines)
    assert [(text.id, text.text) for text in found] == documents
    assert [text.members for text in found] == objects


def test_pubtator_gives_title_and_abstract_and_no_mention(tmp_path: Path) -> None:
    first, second = read(tmp_path, "a.pubtator", PUBTATOR)
    assert (first.id, first.text, first.title, first.line) == ("1", "BRCA1 in mice. Breast cancer.", 14, 1)
    assert first.passages == [(0, 14), (15, 29)]
    assert (second.id, second.text, second.title, second.line) == ("2", " None.", 0, 6)
    # Mentions may be wrong: they are not looked at.
    changed = read(tmp_path, "a.pubtator", PUBTATOR.replace("\t0\t5\t", "\t7\t3\tx\t"))
    assert [text.text for text in changed] == [first.text, second.text]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", "x", None),
        ("a.NDJSON", '{"id": 1, "text": ""}', Form.JSONL),
        ("a.pubtator", PUBTATOR, Form.PUBTATOR),
        ("a.txt", PUBTATOR, Form.PUBTATOR),
        ("a.txt", "\n \n" + PUBTATOR, Form.PUBTATOR),
        ("a", '\n{"id": 1, "text": "p53"}\n', Form.JSONL),
        ("a.txt", '{"id": 1}', Form.TEXT),
        ("a.txt", '{"text": torn', Form.TEXT),
        ("a.txt", "[" * 100_000, Form.TEXT),
        ("a.txt", "p53 |t| in mice", Form.TEXT),
        ("a.txt", "", Form.TEXT),
        ("a.json", "p53 in mice", Form.TEXT),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_format_is_told_by_its_name_then_by_its_first_line(
    tmp_path: Path,
    name: str,
    content: str,
    expected: Form | None,
    packed: bool,  # noqa: FBT001 - pytest's
) -> None:
    data = gzip.compress(content.encode()) if packed else content.encode()
    name = f"{name}.gz" if packed else name
    if expected is None:
        with pytest.raises(CorpusError, match="expected a JSON object"):
            read(tmp_path, name, data)
    else:
        assert read(tmp_path, name, data) == read(tmp_path, name, data, expected)


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b'\xef\xbb\xbf{"id": 1, "text": "p53"}\n'))
    monkeypatch.setattr(sys, "stdin", stream)
    (found,) = read_texts([STDIN], BadDocuments())
    assert (found.id, found.text, str(found.path)) == (1, "p53", "-")
    assert not stream.buffer.closed


def test_files_follow_each_other_each_in_its_own_format(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("p53", encoding="utf-8")
    (tmp_path / "b.txt").write_text(PUBTATOR, encoding="utf-8")
    paths = [tmp_path / "b.txt", tmp_path / "a.txt", tmp_path / "b.txt"]
    found = [text.id for text in read_texts(paths, BadDocuments())]
    assert found == ["1", "2", str(tmp_path / "a.txt"), "1", "2"]


BAD_LINES = [
    ("{", "Expecting property name enclosed in double quotes at column 2"),
    ("[1]", r"\[1\]"),
    ('{"text": "p53"}', 'no "id"'),
    ('{"id": true, "text": "p53"}', '"id": true'),
    ('{"id": 1.0, "text": "p53"}', '"id": 1.0'),
    ('{"id": 1}', 'no "text"'),
    ('{"id": 1, "text": null}', '"text": null'),
    ('{"id": 1, "text": "a\\ud800"}', "half of a surrogate pair at character 1 of the text"),
    ('{"id": 1, "text": "a", "p": NaN}', "NaN, which is no JSON"),
    ('{"id": 1, "text": "a", "p": -1e400}', "-1e400, which is too large a number"),
    ("[" * 100_000, "recursion"),
    ('{"id": 1, "text": "' + "9" * 70 + '", "n": 1' + "0" * 5000 + "}", "Exceeds the limit"),
]


@pytest.mark.parametrize(("line", "found"), BAD_LINES, ids=[line[:30] for line, _ in BAD_LINES])
def test_a_bad_line_costs_its_document(tmp_path: Path, line: str, found: str) -> None:
    content = f'{{"id": 1, "text": "a"}}\n{line}\n{{"id": 3, "text": "b"}}\n'
    with pytest.raises(CorpusError, match=rf"a\.jsonl:2: expected a JSON object with .*, found .*{found}.*; correct"):
        read(tmp_path, "a.jsonl", content)
    bad = BadDocuments("skip")
    assert [text.id for text in read_texts([tmp_path / "a.jsonl"], bad)] == [1, 3]
    assert [error.line for error in bad.errors] == [2]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"1|t|a\n1|a|b\n2|t|c\n2|a|d\n", 3, r"a line of document '1', found one of '2\|t\|c'"),
        (b"1|t|a\n1|a|b\n2\t0\t1\ta\tGene\n", 3, "a line of document '1', found one of '2'"),
        (b"1|t|a\n", 2, r"1\|a\|abstract, found the end of the document"),
        (b"1|t|\xff\n1|a|b\n", 1, "UTF-8, found byte 0xff"),
    ],
)
def test_and_so_does_a_bad_block(tmp_path: Path, content: bytes, line: int, message: str) -> None:
    with pytest.raises(CorpusError, match=rf"a\.pubtator:{line}: expected {message}"):
        read(tmp_path, "a.pubtator", content)
    bad = BadDocuments("skip")
    (tmp_path / "a.pubtator").write_bytes(content + b"\n3|t|x\n3|a|y\n")
    assert [text.id for text in read_texts([tmp_path / "a.pubtator"], bad)] == ["3"]


@pytest.mark.parametrize("by_line", [False, True])
def test_plain_text_that_is_not_utf8(tmp_path: Path, by_line: bool) -> None:  # noqa: FBT001 - pytest's
    with pytest.raises(CorpusError, match=r"a\.txt:2: expected UTF-8, found byte 0xe9"):
        read(tmp_path, "a.txt", b"p53\ncaf\xe9\nmice", by_line=by_line)


def test_a_file_that_is_damaged_gives_what_is_before_it(tmp_path: Path) -> None:
    lines = "".join(f'{{"id": {number}, "text": "{number * 7919}"}}\n' for number in range(3000))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines.encode())[:-1000])
    bad = BadDocuments("skip")
    found = [text.id for text in read_texts([path], bad)]
    assert found == list(range(len(found)))
    assert 0 < len(found) < 3000
    (error,) = bad.errors
    assert error.expected == "a complete gzip file"
    path.with_name("b.gz").write_bytes(b"\x1f\x8b damaged")
    with pytest.raises(CorpusError, match="expected a complete gzip file"):
        list(read_texts([path.with_name("b.gz")], BadDocuments()))
