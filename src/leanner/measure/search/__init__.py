"""The search for the fastest combination of passes whose loss of F1 keeps within a drop that is given."""
