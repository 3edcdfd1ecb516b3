"""Token classifiers of Hugging Face's transformers: checkpoints with a label for each word.

name ─▶ load: model and tokenizer ─▶ tags: what its labels mean
texts ─▶ rows: sub-tokens, words ─▶ tagger: tags of words ─▶ spans
"""
