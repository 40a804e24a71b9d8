"""Graphs of others whose halo is known."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def graph(path: Path, *, radius: int = 2, colours: int = 3, half: bool = False, **other: object) -> Path:
    """A graph that enlarges by 2: a mean over (2 radius + 1)^2 px of each colour, its pixels repeated."""
    kind, side = (TensorProto.FLOAT16 if half else TensorProto.FLOAT), 2 * radius + 1
    mean = np.full((colours, 1, side, side), 1 / side**2, np.float16 if half else np.float32)
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    nodes = [
        helper.make_node("Conv", ["x", "mean"], ["z"], group=colours, pads=[radius] * 4),
        helper.make_node(str(other.get("last", "Resize")), ["z", "", "scales"], ["y"], mode="nearest"),
    ]
    sizes = other.get("sizes", ["h", "w"])
    taken = helper.make_tensor_value_info("x", kind, [1, colours, *sizes])  # type: ignore[misc]
    given = helper.make_tensor_value_info("y", kind, [1, colours, None, None])
    made = helper.make_graph(nodes, "toy", [taken], [given], [numpy_helper.from_array(mean, "mean"), scales])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path
