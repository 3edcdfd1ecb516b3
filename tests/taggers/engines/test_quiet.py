from __future__ import annotations

import logging
import warnings

import pytest

from leanner.taggers.engines.quiet import quiet


def test_what_a_library_says_of_itself_is_not_heard(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("leanner.a_library")
    logger.setLevel(logging.INFO)
    with quiet("leanner.a_library"):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logger.warning("not heard")
        logger.error("heard")
    logger.warning("heard again")
    assert [record.getMessage() for record in caplog.records] == ["heard", "heard again"]
    assert logger.level == logging.INFO
    with pytest.warns(DeprecationWarning, match="old"):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_an_error_leaves_things_as_they_were() -> None:
    logger = logging.getLogger("leanner.another")
    with pytest.raises(ValueError, match="broken"), quiet("leanner.another"):
        raise ValueError("broken")
    assert logger.level == logging.NOTSET
