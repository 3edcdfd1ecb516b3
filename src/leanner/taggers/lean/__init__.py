"""The lean runtime: the spans that Flair gives, without its padding and without an object for each word.

texts ─▶ encoding: sub-tokens ─▶ deciding: tags (batches ─▶ bert or padded: hidden states, viterbi) ─▶ decoding: spans

``running`` does so by the parts of a tagger, which ``tagger`` takes from Flair; ``predict`` takes Flair's sentences.
"""
