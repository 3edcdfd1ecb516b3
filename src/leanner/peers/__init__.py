"""Flair, other engines and the lean runtime side by side: what a user could pick instead.

contenders ─▶ running: interleaved rounds ─▶ result ─▶ table
operations, ceiling ─────────────────────────┘
"""
