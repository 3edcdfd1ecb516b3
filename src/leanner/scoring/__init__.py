"""How well a tagger tags: span F1, its loss against a baseline, and the verdict on it."""
