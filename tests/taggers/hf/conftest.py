from __future__ import annotations

from pathlib import Path

import pytest

from taggers.hf.checkpoints import IO
from taggers.hf.checkpoints import save_bert
from taggers.hf.checkpoints import save_roberta
from taggers.hf.checkpoints import save_sentencepiece


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with BIO labels whose tokenizer knows words."""
    return save_bert(tmp_path_factory.mktemp("hf") / "bert")


@pytest.fixture(scope="session")
def io_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with plain class names."""
    return save_bert(tmp_path_factory.mktemp("hf") / "io", IO)


@pytest.fixture(scope="session")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with byte-level BPE."""
    return save_roberta(tmp_path_factory.mktemp("hf") / "roberta")


@pytest.fixture(scope="session")
def sentencepiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with blanks within its sub-tokens."""
    return save_sentencepiece(tmp_path_factory.mktemp("hf") / "sentencepiece")
