"""Whether a run is worse than another: what changed, whether it is more than chance, and what is gated."""
