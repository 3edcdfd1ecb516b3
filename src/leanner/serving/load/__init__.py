"""Load: requests that arrive as a scenario says, sent by a process of their own, and what became of each.

scenarios: when a request is due ─▶ client: HTTP ─▶ outcome: one for each ─▶ summary, joined with the server's batches

What sends runs in another process (``generator`` starts ``python -m leanner.serving.load``), so that neither the
server nor who measures it takes time from it; it imports no torch.
"""
