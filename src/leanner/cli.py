"""The command ``leanner``."""

from __future__ import annotations

import argparse
import sys

from importlib.metadata import version

from leanner import bench_peers_cli
from leanner import check_cli
from leanner import compare_cli
from leanner import corpora_cli
from leanner import diff_cli
from leanner import export_cli
from leanner import factorial_cli
from leanner import report_cli
from leanner import score_cli
from leanner import search_cli
from leanner import serve_cli
from leanner import show_cli
from leanner import tag_cli


def main(arguments: list[str] | None = None) -> int:
    """Run a sub-command and return its exit code."""
    parser = argparse.ArgumentParser(prog="leanner", description="Leaner biomedical NER, with numbers one can defend.")
    parser.add_argument("--version", action="version", version=f"leanner {version('leanner')}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    bench_peers_cli.add_parser(subparsers)
    check_cli.add_parser(subparsers)
    compare_cli.add_parsers(subparsers)
    corpora_cli.add_parser(subparsers)
    diff_cli.add_parser(subparsers)
    export_cli.add_parser(subparsers)
    factorial_cli.add_parser(subparsers)
    report_cli.add_parser(subparsers)
    score_cli.add_parser(subparsers)
    search_cli.add_parser(subparsers)
    serve_cli.add_parser(subparsers)
    show_cli.add_parser(subparsers)
    tag_cli.add_parser(subparsers)
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main())
