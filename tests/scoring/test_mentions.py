from __future__ import annotations

import gzip

from typing import TYPE_CHECKING

import pytest

from hypothesis import given
from hypothesis import strategies as st

from leanner.scoring.mentions import PubTatorError
from leanner.scoring.mentions import read_mentions
from leanner.types import Label
from leanner.types import Span


if TYPE_CHECKING:
    from pathlib import Path

TITLE = "1|t|Loss of p53 in mice\n"


def written(folder: Path, content: str | bytes, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_columns_and_letter_cases_of_any_tool(tmp_path: Path) -> None:
    found = read_mentions(
        written(
            tmp_path,
            TITLE
            + "1|a|It makes tumours.\n"
            + "1\t8\t11\tp53\tGene\t7157\n"
            + "1\t8\t11\tp53\tgene\n"
            + "1\t15\t19\tmice\tSPECIES\t10090\tmice\n"
            + "1\t29\t36\ttumours\tDisease\n"
            + "1\t0\t4\tLoss\tChemical\n"
            + "\n2|t|Nothing\n2|a|\n",
        )
    )

    assert found.spans == {
        "1": {Span(8, 11, Label.GENE), Span(15, 19, Label.SPECIES), Span(29, 36, Label.DISEASE)},
        "2": set(),
    }
    assert found.ignored == {"Chemical": 1}
    assert found.misplaced == []


def test_files_from_other_systems(tmp_path: Path) -> None:
    content = (TITLE + "1\t8\t11\tp53\tGene\n").encode()
    plain = read_mentions(written(tmp_path, content))
    windows = read_mentions(written(tmp_path, b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"), "windows.txt"))
    zipped = read_mentions(written(tmp_path, gzip.compress(content), "file.txt.gz"))
    unfinished = read_mentions(written(tmp_path, content.rstrip(b"\n"), "unfinished.txt"))

    assert plain.spans == windows.spans == zipped.spans == unfinished.spans == {"1": {Span(8, 11, Label.GENE)}}
    assert plain.texts == windows.texts


def test_mentions_without_texts(tmp_path: Path) -> None:
    found = read_mentions(written(tmp_path, "1\t8\t11\tp53\tGene\n2\t0\t3\tp63\tGene\n"))

    assert found.spans == {"1": {Span(8, 11, Label.GENE)}, "2": {Span(0, 3, Label.GENE)}}
    assert found.texts == {}


def test_relations_are_counted(tmp_path: Path) -> None:
    found = read_mentions(written(tmp_path, TITLE + "1\tCID\tD003\tD004\n1\tPositive_Correlation\t16\tD003\tNovel\n"))

    assert found.relations == 2
    assert found.spans == {"1": set()}


def test_mentions_off_their_text_are_believed_and_counted(tmp_path: Path) -> None:
    found = read_mentions(written(tmp_path, TITLE + "1\t9\t12\tp53\tGene\n1\t16\t20\tmice\tSpecies\n"))

    assert found.spans == {"1": {Span(9, 12, Label.GENE), Span(16, 20, Label.SPECIES)}}
    assert found.misplaced == [2, 3]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("hello\n", 1, "5 to 7 tab-separated columns, found 1 in 'hello'"),
        (TITLE + "1\t8\t11\tp53\n", 2, "tab-separated columns, found 4"),
        (TITLE + "1\t8\t11\tp53\tGene\t7\t7\t7\n", 2, "tab-separated columns, found 8"),
        (TITLE + "1\t8\tx\tp53\tGene\n", 2, "start and end as character offsets, found '8' and 'x'"),
        (TITLE + "1\tstart\t11\tp53\tGene\n", 2, "start and end as character offsets, found 'start' and '11'"),
        (TITLE + "1\t-8\t11\tp53\tGene\n", 2, "start and end as character offsets, found '-8' and '11'"),
        (TITLE + "1\t8\t²\tp53\tGene\n", 2, "start and end as character offsets"),
        (TITLE + "1\t11\t8\tp53\tGene\n", 2, "start before end, found 11 and 8"),
        (TITLE + "1\t8\t8\tp53\tGene\n", 2, "start before end, found 8 and 8"),
        (TITLE + "1\t8\t99\tp53\tGene\n", 2, "offsets within the document's 19 characters, found 8 to 99"),
        (TITLE + "1\t19\t22\tp53\tGene\n", 2, "offsets within the document's 19 characters, found 19 to 22"),
        (TITLE + "2\t8\t11\tp53\tGene\n", 2, "expected lines of document 1, found '2"),
        (TITLE + "2|a|An abstract\n", 2, "an abstract right after its title, found the abstract of 2"),
        ("1|a|An abstract\n", 1, "an abstract right after its title, found the abstract of 1"),
        (TITLE + "1|a|One\n1|a|Two\n", 3, "an abstract right after its title, found the abstract of 1"),
        (TITLE + "1\t8\t11\tp53\tGene\n1|a|Late\n", 3, "right after its title, found the abstract of 1"),
        (TITLE + "\n" + TITLE, 3, "each document once, found 1 again"),
        (TITLE.encode() + b"1|a|\xe9t\xe9\n", 2, "UTF-8, found byte 0xe9"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, content: str | bytes, line: int, message: str) -> None:
    path = written(tmp_path, content)

    with pytest.raises(PubTatorError) as caught:
        read_mentions(path)

    assert str(caught.value).startswith(f"{path}:{line}: expected ")
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.line) == (path, line)


@pytest.mark.parametrize("damage", [slice(0, -12), slice(0, 4), slice(10, None)], ids=["end", "start", "no header"])
def test_a_damaged_gzip_is_an_error(tmp_path: Path, damage: slice) -> None:
    path = written(tmp_path, gzip.compress((TITLE * 1).encode())[damage], "file.gz")

    with pytest.raises(PubTatorError, match="expected a whole gzip file"):
        read_mentions(path)


def test_a_flipped_byte_in_a_gzip_is_an_error(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(TITLE.encode() * 1))
    content[14] ^= 0xFF

    with pytest.raises(PubTatorError):
        read_mentions(written(tmp_path, bytes(content), "file.gz"))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_cleanly(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.mktemp("bytes"), TITLE.encode() + content)
    try:
        found = read_mentions(path)
    except PubTatorError as error:
        assert error.line >= 1  # noqa: PT017 - either outcome is right, only another exception is not
    else:
        assert "1" in found.spans
