"""Requests that arrive one by one, tagged in batches: in this process, or behind a server.

request ─▶ wire: a document ─▶ handling: one batch, one call of the tagger ─▶ wire: an answer
"""
