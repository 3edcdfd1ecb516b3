"""Files of texts in, files of spans out, in order, with no more than two chunks of sentences in memory.

files ─▶ inputs: texts ─▶ run: an exported tagger ─▶ outputs: PubTator or JSON lines (resume: what is there already)
"""
