"""A configuration behind a server, measured as others are: requests in, spans out.

worker: makes the tagger in the server's process ─▶ target: sends the load ─▶ tagger: a ``Tagger`` over it
─▶ account: what the record says of it
"""
