"""Graphs without weights: of an architecture, to be opened with those of any of its checkpoints."""

from __future__ import annotations

from typing import Any

PREFIX = "network."  # of a weight's name in a graph, before its name in a checkpoint
LOCATION = "weights"  # where a graph says that its weights are; whoever opens it hands them over


def bared(model: Any, weights: set[str]) -> Any:  # noqa: ANN401  # an onnx.ModelProto
    """Return a traced graph, optimized, that names its weights and holds none of them.

    While it is optimized they are inputs: else transposed or negated weights would be folded into constants.
    """
    import onnx
    from onnxscript import optimizer

    graph = model.graph
    named = {tensor.name: tensor for tensor in graph.initializer if tensor.name in weights}
    constants = [tensor for tensor in graph.initializer if tensor.name not in weights]
    given = len(graph.input)
    graph.ClearField("initializer")
    graph.initializer.extend(constants)
    graph.input.extend(
        onnx.helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims)) for name, tensor in named.items()
    )
    model = optimizer.optimize(model)
    graph = model.graph
    inputs = list(graph.input)
    used = {name for node in graph.node for name in node.input}
    graph.ClearField("input")
    graph.input.extend(inputs[:given])
    for value in inputs[given:]:
        if value.name in used:
            graph.initializer.append(_absent(named[value.name]))
    graph.ClearField("value_info")
    for node in graph.node:  # what traced it, line by line: nine tenths of its bytes
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    _number_values(graph)
    return model


def _number_values(graph: Any) -> None:  # noqa: ANN401  # an onnx.GraphProto
    """Name the values between nodes by their order: a tracer's own numbers change with steps that leave no node."""
    kept = {value.name for value in [*graph.output, *graph.initializer]}
    names: dict[str, str] = {}
    for node in graph.node:
        node.ClearField("name")
        for name in node.output:
            if name and name not in kept:
                names[name] = f"v{len(names)}"
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def _absent(tensor: Any) -> Any:  # noqa: ANN401  # an onnx.TensorProto
    """Return a tensor's name, type and shape, with its numbers elsewhere."""
    import onnx

    absent = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    absent.data_location = onnx.TensorProto.EXTERNAL
    absent.external_data.add(key="location", value=LOCATION)
    return absent
