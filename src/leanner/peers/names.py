"""Who takes part: known where torch is not imported."""

from __future__ import annotations

from typing import Final


FLAIR: Final = "flair"
#: What a user could pick instead of leanner's own configurations.
ENGINES: Final = ("onnxruntime-int8", "openvino-int8")
#: Leanner's own, by default.
LEAN: Final = (
    "lean",
    "lean-int8-static",
    "lean-int8-static-prefix",
    "lean-int8-static-prefix-ffn-ls-50",
    "lean-int8-static-prefix-heads-ffn-ls-50",
)
