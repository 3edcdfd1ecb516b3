from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import termios

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leanner.cli import main
from leanner.export.lean import Lean
from leanner.passes.runtime import LeanRuntime
from leanner.tagging.run import tag_texts


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from typing import IO

    from leanner.tagging.text import Form
    from leanner.tagging.text import Text

SENTENCES = ("Loss of PTEN is common in glioma.", "Mouse p53\u200b rose 😀.", "It isn't rare; IL-6 fell.", "")


@pytest.fixture(scope="module")
def model(shaped_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from export.made import exported
    from export.made import shaped

    folder = tmp_path_factory.mktemp("export") / "out"
    exported(shaped(shaped_file), folder, LeanRuntime())
    return folder


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    texts = [" ".join(SENTENCES[(number + n) % 4] for n in range(number % 5)) for number in range(40)]
    path.write_text("".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(texts)))
    return path


def expected(model: Path, lines: Path) -> list[dict[str, object]]:
    documents = [json.loads(line) for line in lines.read_text().splitlines()]
    found = Lean.load(model).tag_texts(document["text"] for document in documents)
    return [
        {
            **document,
            "spans": [
                {"begin": s.start, "end": s.end, "label": s.label, "text": document["text"][s.start : s.end]}
                for s in spans
            ],
        }
        for document, spans in zip(documents, found, strict=True)
    ]


def tag(*arguments: object) -> int:
    return main(["tag", *map(str, arguments)])


def test_json_lines_in_and_out_in_order(
    model: Path, lines: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    whole = expected(model, lines)
    assert sum(len(str(document["spans"])) > 2 for document in whole) > 10
    assert tag(lines, "--model", model) == 0
    output = capfdbinary.readouterr()
    assert [json.loads(line) for line in output.out.splitlines()] == whole
    # No progress where there is no terminal, no warning, nothing.
    assert output.err == b""
    assert tag(lines, "--model", model, "-o", tmp_path / "out") == 0
    assert (tmp_path / "out").read_bytes() == output.out


def test_pubtator_in_is_pubtator_out_with_its_offsets(
    model: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    title, abstract = "Loss of PTEN. Mouse p53 rose.", "It isn't rare in glioma. IL-6 fell."
    path = tmp_path / "in.txt"
    path.write_text(f"7|t|{title}\n7|a|{abstract}\n7\t0\t4\tLoss\tDisease\tx\n\n8|t|IL-6\n8|a|\n")
    assert tag(path, "--model", model) == 0
    first, second, rest = capfdbinary.readouterr().out.decode().split("\n\n")
    assert rest == ""
    assert first.split("\n")[:2] == [f"7|t|{title}", f"7|a|{abstract}"]
    assert second.split("\n")[:2] == ["8|t|IL-6", "8|a|"]
    text = f"{title} {abstract}"
    mentions = [line.split("\t") for line in first.split("\n")[2:]]
    assert mentions
    for name, begin, end, surface, label in mentions:
        assert (name, text[int(begin) : int(end)]) == ("7", surface)
        assert label in ("GENE", "SPECIES", "DISEASE")
        # No sentence, and so no mention, crosses from title to abstract.
        assert int(end) <= len(title) or int(begin) > len(title)
    assert tag(path, "--model", model, "--to", "jsonl") == 0
    found = json.loads(capfdbinary.readouterr().out.splitlines()[0])
    assert found["text"] == text
    assert [[str(each["begin"]), str(each["end"])] for each in found["spans"]] == [line[1:3] for line in mentions]


def test_plain_text_from_standard_input(
    model: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = "Loss of PTEN is common in glioma.\n\nMouse p53 rose.\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert tag("-", "--model", model) == 0
    (found,) = map(json.loads, capfdbinary.readouterr().out.splitlines())
    assert (found["id"], found["text"]) == ("-", text)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert tag("-", "--lines", "--model", model, "--to", "pubtator") == 0
    blocks = capfdbinary.readouterr().out.decode().split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == [
        "-:1|t|Loss of PTEN is common in glioma.",
        "-:2|t|",
        "-:3|t|Mouse p53 rose.",
        "",
    ]


@pytest.mark.parametrize("moment", [0, 1, 23])
def test_one_that_is_killed_is_gone_on_with(model: Path, lines: Path, tmp_path: Path, moment: int) -> None:
    out = tmp_path / "out.jsonl"
    # A process that is killed in the middle of its output: every write is a part of a document.
    code = f"""
import os, signal, sys
from leanner import cli
from leanner.tagging import run
whole = run.rendered
written = 0
def cut(*given):
    global written
    written += 1
    if written > {moment}:
        with open({str(out)!r}, "ab") as file: file.write(whole(*given)[:-7])
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*given)
run.rendered = cut
cli.main(["tag", {str(lines)!r}, "--model", {str(model)!r}, "-o", {str(out)!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(out.read_bytes().splitlines()) == moment + 1
    assert tag(lines, "--model", model, "-o", out) == 2
    assert tag(lines, "--model", model, "-o", out, "--resume") == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == expected(model, lines)


def test_a_bad_line_ends_with_2_behind_what_was_before_it(
    model: Path, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = expected(model, lines)
    good = lines.read_text().splitlines(keepends=True)
    lines.write_text("".join([*good[:17], '{"id": 17}\n', *good[17:]]))
    out = tmp_path / "out.jsonl"
    assert tag(lines, "--model", model, "-o", out) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith(f"leanner tag: {lines}:18: expected a JSON object")
    assert [json.loads(line) for line in out.read_text().splitlines()] == whole[:17]
    assert tag(lines, "--model", model, "-o", out, "--resume", "--on-bad-document", "skip") == 0
    assert capsys.readouterr().err.splitlines() == [
        message.replace("leanner tag: ", "leanner tag: skipped: "),
        "leanner tag: skipped 1 bad document",
    ]
    assert [json.loads(line) for line in out.read_text().splitlines()] == whole


def test_an_interruption_leaves_whole_documents(
    model: Path, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"

    def interrupted(lean: Lean, texts: Iterable[Text], out: IO[bytes], form: Form, _: object) -> None:
        number = 0

        def count(_: Text) -> None:
            nonlocal number
            number += 1
            if number == 10:
                raise KeyboardInterrupt

        tag_texts(lean, texts, out, form, count)

    monkeypatch.setattr("leanner.tagging.run.tag_texts", interrupted)
    assert tag(lines, "--model", model, "-o", out) == 130
    assert capsys.readouterr().err == "leanner tag: interrupted; --resume goes on\n"
    monkeypatch.undo()
    assert len(out.read_text().splitlines()) == 10
    assert tag(lines, "--model", model, "-o", out, "--resume") == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == expected(model, lines)


def test_a_reader_that_has_enough(model: Path, lines: Path) -> None:
    lines.write_text(lines.read_text() * 50)
    command = [sys.executable, "-m", "leanner.cli", "tag", str(lines), "--model", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["id"] == 0
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 2


def test_progress_is_for_terminals(model: Path, lines: Path, tmp_path: Path) -> None:
    leader, follower = os.openpty()
    # A bar has no room on a terminal without columns.
    termios.tcsetwinsize(follower, (24, 100))
    command = [sys.executable, "-m", "leanner.cli", "tag", str(lines), "--model", str(model), "-o", str(tmp_path / "o")]
    with subprocess.Popen(command, stderr=follower, stdout=follower) as process:
        os.close(follower)
        shown = b""
        # A terminal whose other end is closed is an error to read from.
        with contextlib.suppress(OSError):
            while part := os.read(leader, 1 << 16):
                shown += part
        assert process.wait(timeout=60) == 0
    os.close(leader)
    assert b"0%" in shown
    assert b"B/s" in shown


WRONG = [
    (("IN", "--resume"), "expected --resume with a file as --output, found none"),
    (("IN", "-o", "/dev/null", "--resume"), "expected --resume with a file as --output, found none"),
    (("IN", "-o", "IN", "--force"), "expected another file as --output than the input"),
    (("IN", "-o", "out.gz"), "expected an output that is not compressed"),
    (("IN", "--lines", "--from", "jsonl"), "expected --lines with plain text"),
    (("-", "-"), "expected - once, found it more often"),
    (("missing",), "expected a file, found nothing at missing"),
    ((".",), "expected files, found the folder ."),
    (("IN", "-o", "IN/out"), "Not a directory"),
    (("IN", "--model", "IN"), "cannot be read: Not a directory"),
    (("IN", "--model", "nothing"), "found no leanner.json; name a folder that `leanner export` wrote"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_what_cannot_be_done_is_one_line(
    model: Path, lines: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    before = lines.read_bytes()
    given = [argument.replace("IN", str(lines)) for argument in arguments]
    assert tag("--model", model, *given) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith("leanner tag: ")
    assert message in line
    assert lines.read_bytes() == before


def test_what_this_machine_makes_worse_is_said(
    model: Path, lines: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def doubtful(*_: object) -> Iterator[str]:
        yield "F1 can be lower"

    monkeypatch.setattr("leanner.export.lean._doubts", doubtful)
    assert tag(lines, "--model", model, "-o", "/dev/null") == 0
    assert capsys.readouterr().err == "leanner tag: F1 can be lower\n"
