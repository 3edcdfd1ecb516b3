"""Full factorials of two levels: what each factor does, alone and together with the others (docs/factorial.md)."""
