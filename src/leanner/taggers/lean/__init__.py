"""The lean runtime: the spans that Flair gives, without its padding and without an object for each word.

texts ─▶ encoding: sub-tokens ─▶ deciding: tags (batches ─▶ bert: hidden states, viterbi) ─▶ decoding: spans

``tagger`` takes leanner's documents, ``predict`` Flair's sentences.
"""
