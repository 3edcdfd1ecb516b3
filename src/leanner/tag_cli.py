"""``leanner tag FILE… --model OUT``: the spans of texts, by an exported tagger."""

from __future__ import annotations

import argparse
import os
import sys

from itertools import chain
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from leanner.corpora.bad import POLICIES
from leanner.corpora.bad import BadDocuments
from leanner.corpora.native import CorpusError
from leanner.tagging.inputs import STDIN
from leanner.tagging.inputs import form_of_name
from leanner.tagging.inputs import read_texts
from leanner.tagging.outputs import writable
from leanner.tagging.text import Form


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


class UsageError(ValueError):
    """Arguments that do not go together; the message says which."""


def add_parser(subparsers: Subparsers) -> None:
    """Add ``tag`` to the sub-commands."""
    parser = subparsers.add_parser(
        "tag",
        help="tag texts with an exported tagger",
        description="Tag plain text, PubTator or JSON lines, and write PubTator or JSON lines, in order. Exit status: "
        "0; 2 if something cannot be read or written; 130 if interrupted.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file, also .gz; - is standard input")
    parser.add_argument("--model", required=True, type=Path, metavar="OUT", help="a folder that leanner export wrote")
    parser.add_argument(
        "--from",
        dest="source",
        choices=[form.value for form in Form],
        help="format of the files; default: by their names (.jsonl, .ndjson, .pubtator), else by their first lines",
    )
    parser.add_argument(
        "--to",
        choices=[Form.PUBTATOR.value, Form.JSONL.value],
        help="format of the output; default: by its name, else pubtator if the first document is, else jsonl",
    )
    parser.add_argument("--lines", action="store_true", help="each line of plain text is a document, called FILE:LINE")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--resume",
        dest="existing",
        action="store_const",
        const="resume",
        help="go on behind the last whole document of the output",
    )
    existing.add_argument(
        "--force", dest="existing", action="store_const", const="overwrite", help="overwrite the output"
    )
    parser.add_argument("--on-bad-document", choices=POLICIES, default="error", help="default: %(default)s")
    parser.add_argument("--device", default="cpu", help="where the tagger runs (default: %(default)s)")
    parser.set_defaults(run=run, existing="refuse")


def run(args: argparse.Namespace) -> int:
    """Tag; return 2 with the reason if something cannot be read or written, 130 if it was interrupted."""
    errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    # torch takes seconds, which other sub-commands need not wait for
    from leanner.taggers.errors import TaggerError  # noqa: PLC0415
    from leanner.tagging.resume import ResumeError  # noqa: PLC0415

    bad = BadDocuments(args.on_bad_document)
    try:
        _check_usage(args)
        _tag(args, bad, errors)
    except BrokenPipeError:
        # Who reads the output has enough; without this Python would complain when it flushes the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except KeyboardInterrupt:
        errors.print("leanner tag: interrupted" + ("; --resume goes on" if args.output else ""))
        return 130
    except (CorpusError, ResumeError, TaggerError, UsageError) as error:
        errors.print(f"leanner tag: {error}")
        return 2
    except OSError as error:
        errors.print(f"leanner tag: {error.filename or args.output or 'standard output'}: {error.strerror}")
        return 2
    finally:
        for skipped in bad.errors:
            errors.print(f"leanner tag: skipped: {skipped}")
        if bad.errors:
            number = len(bad.errors)
            errors.print(f"leanner tag: skipped {number} bad {'document' if number == 1 else 'documents'}")
    return 0


def _check_usage(args: argparse.Namespace) -> None:
    output: Path | None = args.output
    if args.lines and args.source not in (None, Form.TEXT):
        raise UsageError(f"expected --lines with plain text, found --from {args.source}")
    if args.files.count(STDIN) > 1:
        raise UsageError("expected - once, found it more often: standard input is read once")
    if args.existing == "resume" and (output is None or (output.exists() and not output.is_file())):
        raise UsageError("expected --resume with a file as --output, found none: a stream cannot be gone on with")
    if output is not None and output.suffix == ".gz":
        raise UsageError(f"expected an output that is not compressed, found {output}; write to standard output | gzip")
    for path in args.files:
        if path == STDIN:
            continue
        if path.is_dir():
            raise UsageError(f"expected files, found the folder {path}; name its files")
        if not path.exists():
            raise UsageError(f"expected a file, found nothing at {path}")
        if output is not None and output.exists() and path.samefile(output):
            raise UsageError(f"expected another file as --output than the input, found {path} as both")


def _tag(args: argparse.Namespace, bad: BadDocuments, errors: Console) -> None:
    # as above
    from leanner.export.lean import Lean  # noqa: PLC0415
    from leanner.tagging.opening import open_output  # noqa: PLC0415
    from leanner.tagging.progress import Progress  # noqa: PLC0415
    from leanner.tagging.resume import About  # noqa: PLC0415
    from leanner.tagging.run import tag_texts  # noqa: PLC0415

    lean = Lean.load(args.model, args.device)
    for text in lean.doubts:
        errors.print(f"leanner tag: {text}")
    source = Form.TEXT if args.lines else Form(args.source) if args.source else None
    read = read_texts(args.files, bad, form=source, by_line=args.lines)
    form = Form(args.to) if args.to else form_of_name(args.output) if args.output else None
    if form is None:
        first = list(islice(read, 1))
        form = Form.PUBTATOR if first and first[0].title is not None else Form.JSONL
        read = chain(first, read)
    texts = writable(read, form, bad)
    with (
        open_output(args.output, About.of(lean, form), texts, args.existing) as (out, passed),
        Progress(args.files, passed) as progress,
    ):
        tag_texts(lean, texts, out, form, progress.add)
