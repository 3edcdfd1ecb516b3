"""What a tagger's layers see of text that is for no evaluation: passes choose and compensate by it."""
