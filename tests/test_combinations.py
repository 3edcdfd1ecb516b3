from __future__ import annotations

import re

import pytest

from leanner.combinations import combined
from leanner.configurations import CONFIGURATIONS
from leanner.configurations import named
from leanner.passes.pruning.ffn import FfnPruning
from leanner.passes.runtime import LeanRuntime
from leanner.passes.static import Int8Static


def test_a_name_of_the_table_is_that_configuration() -> None:
    assert all(combined(each.name) is each for each in CONFIGURATIONS)


def test_names_are_joined_in_their_order() -> None:
    found = combined("heads-ls-50+ffn-ls-50+int8-static+lean-prefix")

    assert found.name == "heads-ls-50+ffn-ls-50+int8-static+lean-prefix"
    assert found.passes == named("lean-int8-static-prefix-heads-ffn-ls-50").passes
    assert combined("int8+magnitude-layer-50").passes == named("int8-magnitude-50").passes
    assert (found.bound, found.default) == (None, False)
    assert found.unbounded


def test_parameters_have_the_type_of_what_they_replace() -> None:
    found = combined("ffn-ls-50:share=0.375,articles=3+int8-static+lean:batch_tokens=64,prefix_caching=true")

    assert found.passes == (
        FfnPruning(0.375, "layer", "least-squares", 3),
        Int8Static(),
        LeanRuntime(64, prefix_caching=True),
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "expected one of fp32, .*, found ''"),
        ("lean+int9", "expected one of fp32, .*, found 'int9'"),
        ("lean+", "expected one of fp32, .*, found ''"),
        (
            "lean:",
            "lean:: expected one of batch_tokens, .* with = and a value, found ''",
        ),
        (
            "lean:size=3",
            "expected one of batch_tokens, .* with = and a value, found 'size=3'",
        ),
        ("lean:batch_tokens=0", "lean:batch_tokens=0: expected a batch of at least one sub-token, found 0"),
        ("lean:batch_tokens=1.5", "expected a whole number for batch_tokens, found '1.5'"),
        ("lean:prefix_caching=1", "expected true or false for prefix_caching, found '1'"),
        ("ffn-ls-50:share=half", "expected a number for share, found 'half'"),
        ("ffn-ls-50:share=1.5", "expected 0 <= share < 1, found 1.5"),
        ("lean-int8:batch_tokens=64", "expected no parameters, since lean-int8 is not a single pass"),
        ("int8:bits=4", "expected one of"),
    ],
)
def test_what_is_no_combination_is_refused(name: str, message: str) -> None:
    with pytest.raises((KeyError, ValueError)) as caught:
        combined(name)
    assert re.search(message, str(caught.value.args[0]))
