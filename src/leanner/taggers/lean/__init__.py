"""The lean runtime: the spans that Flair gives, without its objects and its padding.

texts ─▶ encoding: sub-tokens ─▶ batches ─▶ bert: hidden states ─▶ (viterbi: tags ─▶) decoding: spans
"""
