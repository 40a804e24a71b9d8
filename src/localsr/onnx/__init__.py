"""The networks as ONNX graphs, and the comparison that proves them."""
