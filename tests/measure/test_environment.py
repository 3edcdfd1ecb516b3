from __future__ import annotations

import platform
import subprocess

from pathlib import Path

import pytest

from leanner.measure.environment import ISA
from leanner.measure.environment import commit_of
from leanner.measure.environment import describe


def git(folder: Path, *arguments: str) -> str:
    """Run git without the user's settings."""
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "tracked").write_text("1")
    git(tmp_path, "add", "tracked")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_commit_of_a_clean_checkout(checkout: Path) -> None:
    assert commit_of(checkout) == (git(checkout, "rev-parse", "HEAD"), False)


def test_a_changed_tracked_file_is_dirty_an_untracked_one_is_not(checkout: Path) -> None:
    (checkout / "untracked").write_text("1")
    assert commit_of(checkout)[1] is False

    (checkout / "tracked").write_text("2")
    assert commit_of(checkout)[1] is True


def test_outside_a_checkout_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path) == (None, None)


def test_without_git_the_commit_is_unknown(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert commit_of(checkout) == (None, None)


def test_the_environment_names_machine_and_libraries(checkout: Path) -> None:
    import torch

    environment = describe(checkout, "cpu")

    assert set(environment) == {
        *("cpu", "isa", "gpu", "driver", "torch", "flair", "transformers", "python", "threads", "commit", "dirty")
    }
    assert environment["torch"] == torch.__version__
    assert environment["python"] == platform.python_version()
    assert environment["threads"] == torch.get_num_threads()
    assert set(environment["isa"]) <= set(ISA)
    assert (environment["gpu"], environment["driver"]) == (None, None)
    assert environment["commit"] == git(checkout, "rev-parse", "HEAD")
    assert environment["dirty"] is False
