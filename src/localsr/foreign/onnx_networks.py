"""Networks of other people as ONNX graphs: of standard operators, with their weights in them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from localsr.errors import CheckpointError
from localsr.extras import need
from localsr.foreign.black_box import ForeignNetwork
from localsr.foreign.fixed_size import RUN_FOR_KEPT, in_windows
from localsr.geometry import Size
from localsr.models.card import read_bounded
from localsr.models.config import SCALES
from localsr.models.work import WorkLoad
from localsr.onnx.devices import GraphSettings, cpu_threads
from localsr.onnx.folder import MAX_GRAPH_BYTES, check_graph
from localsr.onnx.sessions import open_graph

TRIED_SIDE = 64  # px of a picture that is run once to see how many times it becomes larger
MAX_FLOPS, MAX_BYTES = 10**9, 2**20  # of an LR pixel; HAT-L, a large one, takes 80 MFLOPs
COUNTED_AT = 64  # px of a side at which shapes are inferred
TAKEN = "a network takes and makes floats of 32 or 16 bits, 1 x 3 or 1 colours x height x width, in [0, 1]"
FIXED_SIDES = (16, 1024)  # px of a picture that a graph may take alone: least and most


class GraphInput(NamedTuple):
    """What a graph takes."""

    name: str
    channels: int
    dtype: np.dtype[Any]
    size: Size | None  # px, where it takes one size alone


def read_graph(path: Path) -> tuple[bytes, ForeignNetwork]:
    """Read and check a graph, then run it on one small picture; nothing runs before the checks."""
    need("onnx", "onnx", "onnxruntime", what="an ONNX network")
    data = read_bounded(path, "graph", MAX_GRAPH_BYTES)
    check_graph(path, data)
    taken, load = _input(path, data), count_graph(data)
    if load.flops > MAX_FLOPS or load.bytes > MAX_BYTES:
        found = f"{load.flops / 1e6:,.0f} MFLOPs and {load.bytes / 1e6:,.2f} MB"
        limits = f"at most {MAX_FLOPS / 1e6:,.0f} and {MAX_BYTES / 1e6:,.2f} are run"
        raise CheckpointError(f"{path} takes {found} for each pixel; {limits}")
    session = open_graph(path, data, GraphSettings(cpu_threads()))

    def run(x: Tensor) -> Tensor:
        pictures = x.numpy().astype(taken.dtype)
        try:  # graphs are often exported for a batch of one
            parts = [session.run(None, {taken.name: pictures[k : k + 1]})[0] for k in range(len(pictures))]
        except Exception as error:  # a class for each of its codes, none of them public
            raise CheckpointError(f"{path} cannot be run: {str(error).splitlines()[0][:200]}") from error
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    size = taken.size or Size(TRIED_SIDE, TRIED_SIDE)
    shape = (1, taken.channels, size.height, size.width)
    made = run(torch.full(shape, 0.5))
    scale = made.shape[-1] // size.width if made.ndim == 4 else 0
    if scale not in SCALES or made.shape != (1, taken.channels, scale * size.height, scale * size.width):
        shapes = f"{tuple(made.shape)} of {shape}"
        raise CheckpointError(f"{path} makes {shapes}; a network enlarges x{', x'.join(map(str, SCALES))}")
    any_size = run if taken.size is None else in_windows(run, taken.size, scale)
    return data, ForeignNetwork(any_size, "ONNX", scale, taken.channels, "onnxruntime", torch.device("cpu"))


def _input(path: Path, data: bytes) -> GraphInput:
    """Return what a checked graph takes; `CheckpointError` where that is no picture."""
    import onnx

    graph = onnx.load_model_from_string(data).graph
    weights = {tensor.name for tensor in graph.initializer}
    given = [value for value in graph.input if value.name not in weights]
    if len(given) != 1 or len(graph.output) != 1:
        raise CheckpointError(f"{path} takes {len(given)} inputs; only networks from one picture to one are imported")
    tensor = given[0].type.tensor_type
    types: dict[int, np.dtype[Any]] = {onnx.TensorProto.FLOAT: np.dtype("f4"), onnx.TensorProto.FLOAT16: np.dtype("f2")}
    sides = [axis.dim_value for axis in tensor.shape.dim]
    last = len(sides) == 4 and sides[1] not in (1, 3) and sides[3] in (1, 3)
    if tensor.elem_type not in types or len(sides) != 4 or sides[0] > 1 or sides[1] not in (0, 1, 3) or last:
        raise CheckpointError(f"{path} takes {_described(tensor)}; {TAKEN}")
    if graph.output[0].type.tensor_type.elem_type not in types:
        raise CheckpointError(f"{path} makes {_described(graph.output[0].type.tensor_type)}; {TAKEN}")
    least, most = FIXED_SIDES
    if any(sides[2:]) and not all(least <= side <= most for side in sides[2:]):
        taken = " x ".join(str(side or "any") for side in (sides[3], sides[2]))
        either = f"free, or both from {least} to {most}"
        raise CheckpointError(f"{path} takes pictures of {taken} px alone; export it with height and width {either}")
    size = Size(sides[3], sides[2]) if sides[2] else None
    return GraphInput(given[0].name, sides[1] or 3, types[tensor.elem_type], size)


def _described(tensor: Any) -> str:  # noqa: ANN401  # a type of ONNX's
    """Return the type and the sides of what a graph takes or makes: `uint8, 1 x 3 x any x any`."""
    import onnx

    kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    return f"{kind}, {' x '.join(str(axis.dim_value or 'any') for axis in tensor.shape.dim)}"


def graph_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights of a graph that was checked."""
    import onnx

    graph = onnx.load_model_from_string(read_bounded(path, "graph", MAX_GRAPH_BYTES)).graph
    return {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}


def count_graph(data: bytes) -> WorkLoad:
    """Count the FLOPs of convolutions and matrix products of an LR pixel, and three times its largest tensor."""
    import onnx

    model = onnx.load_model_from_string(data)
    given = next(v for v in model.graph.input if v.name not in {t.name for t in model.graph.initializer})
    axes = given.type.tensor_type.shape.dim
    fixed = bool(axes[2].dim_value)
    for axis, side in zip(axes, (1, 3, COUNTED_AT, COUNTED_AT), strict=True):
        axis.dim_value = axis.dim_value or side
    area = axes[2].dim_value * axes[3].dim_value
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*graph.value_info, *graph.output)}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    flops = 0
    for node in graph.node:
        out = math.prod(shapes.get(node.output[0], [0])) if node.output else 0
        factor = shapes.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type == "Conv" and factor:
            flops += 2 * out * math.prod(factor[1:])
        elif node.op_type in ("MatMul", "Gemm") and factor and len(factor) > 1:
            flops += 2 * out * factor[-2]
    largest = max((math.prod(shape) for shape in shapes.values()), default=0)
    return WorkLoad(int(flops / area * (RUN_FOR_KEPT if fixed else 1)), 3 * 4 * largest // area)
