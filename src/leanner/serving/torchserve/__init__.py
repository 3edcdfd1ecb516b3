"""TorchServe: started, watched and stopped as a child that leaves nothing behind.

TorchServe.start ─▶ supervised ─▶ supervisor, a process ─▶ java ─▶ workers, which run handler
"""
