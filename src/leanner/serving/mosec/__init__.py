"""mosec behind the same handler, and what keeps it: a supervisor that starts it again.

``server`` (here) ─▶ ``supervisor`` ─▶ ``application``: mosec's own processes ─▶ ``tagging``, then ``answering``. See
``docs/mosec.md``.
"""
