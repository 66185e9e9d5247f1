"""
A trained network that leaves: as ONNX, and as packed bits with a reader of numpy alone.

Doors: bundle.

Never: trains, or writes into a results folder.
"""
