"""Runs as their reports left them, with their corpus and the spans of their cases: for reports and diffs."""
