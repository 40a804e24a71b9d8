"""Graphs of others whose halo is known."""

from pathlib import Path

import numpy as np
import onnx
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


def odd_graph(
    path: Path, *before: onnx.NodeProto, taken: object = ((1, 3, "h", "w"), 1), made: int = 1, **constants: float
) -> Path:
    """A graph that repeats each pixel of `z`, which `before` makes of `x`, whose sides and type are told."""
    sides, kind = taken  # type: ignore[misc]
    numbers = {name: np.array(value, np.float32) for name, value in constants.items()}
    given = [numpy_helper.from_array(value, name) for name, value in numbers.items()]
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    last = [helper.make_node("Resize", ["z", "", "scales"], ["r"], mode="nearest")]
    last.append(helper.make_node("Cast", ["r"], ["y"], to=made))
    inputs = [helper.make_tensor_value_info("x", kind, list(sides))]
    outputs = [helper.make_tensor_value_info("y", made, [1, 3, None, None])]
    body = helper.make_graph([*before, *last], "odd", inputs, outputs, [*given, scales])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path
