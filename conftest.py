"""Makes the fixtures known to the cases and the tests."""

from __future__ import annotations


pytest_plugins = ["fixtures.corpus", "fixtures.tagger", "fixtures.meter", "fixtures.case", "fixtures.shaped"]
