"""A tagger as files that run without Flair: safetensors, JSON, and the tokenizer's own JSON. No pickle.

tagger, passes ─▶ write: leanner.json, model.safetensors, tokenizer.json ─▶ lean: texts in, spans out
"""

from __future__ import annotations

from leanner.export.lean import Lean


__all__ = ["Lean"]
