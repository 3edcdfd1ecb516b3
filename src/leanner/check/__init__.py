"""Whether a report holds: everything in it that can be computed again is."""
