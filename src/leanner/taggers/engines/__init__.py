"""Other runtimes over a tagger's weights: ONNX Runtime and OpenVINO, on CPUs.

rows ─▶ padding: rectangles ─▶ an engine over the graph: scores ─▶ deciding: tags

Rows are made, and spans read, by the code of the lean runtime, which also says what a batch is.
"""
