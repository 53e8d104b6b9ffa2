"""The network of all-MiniLM-L6-v2, as a model that onnxruntime runs, made of the weights alone.

The package that has the weights has no model of this kind, and its own way of running them is PyTorch. What is built is
BERT (Devlin et al., 2018): six layers of attention and two layers of neurons each, and the mean of what comes out, as a
unit vector.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.cache.safetensors import Tensor

LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12
# The first of ONNX's vocabularies that has Gelu, and the first of its formats that has that.
VOCABULARY, FORMAT = 20, 9


class _Net:
    """Nodes and tables, as they are added."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.onnx: Any = import_module("onnx")
        self._numpy: Any = import_module("numpy")
        self._tensors = tensors
        self.nodes: list[Any] = []
        self.tables: list[Any] = []

    def node(self, kind: str, *inputs: str, **how: Any) -> str:
        """Add a node; the name of what it gives."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **how))
        return name

    def table(self, values: Any, kind: str = "float32") -> str:
        """Add a constant."""
        name = f"table_{len(self.tables)}"
        array = self._numpy.asarray(values, kind)
        self.tables.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def weights(self, name: str, *, turned: bool = False) -> str:
        """Add a table of the weights.

        Raises:
            ValueError: there is none of that name, or it is not of 32-bit numbers.
        """
        tensor = self._tensors.get(name)
        if tensor is None or tensor.dtype != "F32":
            raise ValueError(f"there is no table {name} of 32-bit numbers")
        values = self._numpy.frombuffer(tensor.data, "<f4").reshape(tensor.shape)
        return self.table(self._numpy.ascontiguousarray(values.T) if turned else values)

    def dense(self, name: str, given: str) -> str:
        """A layer of neurons."""
        product = self.node("MatMul", given, self.weights(f"{name}.weight", turned=True))
        return self.node("Add", product, self.weights(f"{name}.bias"))

    def normed(self, name: str, given: str) -> str:
        """A layer's norm."""
        tables = (self.weights(f"{name}.weight"), self.weights(f"{name}.bias"))
        return self.node("LayerNormalization", given, *tables, axis=-1, epsilon=EPSILON)


def model_of(tensors: Mapping[str, Tensor]) -> bytes:
    """The model: of ``ids`` and ``mask`` (texts by tokens) and ``places`` (0, 1, ...), ``vectors``.

    Raises:
        ValueError: the weights are of another network.
    """
    net = _Net(tensors)
    types = net.onnx.TensorProto
    given = net.onnx.helper.make_tensor_value_info
    inputs = [
        given("ids", types.INT64, ["texts", "tokens"]),
        given("mask", types.FLOAT, ["texts", "tokens"]),
        given("places", types.INT64, ["tokens"]),
    ]
    vectors = _mean(net, _layers(net, _embedded(net)))
    net.nodes.append(net.onnx.helper.make_node("Identity", [vectors], ["vectors"]))
    outputs = [given("vectors", types.FLOAT, ["texts", WIDTH])]
    graph = net.onnx.helper.make_graph(net.nodes, "minilm", inputs, outputs, net.tables)
    opset = net.onnx.helper.make_opsetid("", VOCABULARY)
    made = net.onnx.helper.make_model(graph, opset_imports=[opset], ir_version=FORMAT)
    return bytes(made.SerializeToString())


def _embedded(net: _Net) -> str:
    words = net.node("Gather", net.weights("embeddings.word_embeddings.weight"), "ids")
    places = net.node("Gather", net.weights("embeddings.position_embeddings.weight"), "places")
    kinds = net.node("Gather", net.weights("embeddings.token_type_embeddings.weight"), net.table(0, "int64"))
    summed = net.node("Add", net.node("Add", words, places), kinds)
    return net.normed("embeddings.LayerNorm", summed)


def _layers(net: _Net, state: str) -> str:
    turned = net.node("Unsqueeze", "mask", net.table([1, 2], "int64"))
    hidden = net.node("Mul", net.node("Sub", turned, net.table(1.0)), net.table(1e9))
    for number in range(LAYERS):
        name = f"encoder.layer.{number}"
        heard = net.dense(f"{name}.attention.output.dense", _attention(net, f"{name}.attention.self", state, hidden))
        state = net.normed(f"{name}.attention.output.LayerNorm", net.node("Add", heard, state))
        inner = net.node("Gelu", net.dense(f"{name}.intermediate.dense", state))
        thought = net.dense(f"{name}.output.dense", inner)
        state = net.normed(f"{name}.output.LayerNorm", net.node("Add", thought, state))
    return state


def _attention(net: _Net, name: str, state: str, hidden: str) -> str:
    def by_head(part: str, order: list[int]) -> str:
        shape = net.table([0, 0, HEADS, WIDTH // HEADS], "int64")
        return net.node("Transpose", net.node("Reshape", net.dense(f"{name}.{part}", state), shape), perm=order)

    products = net.node("MatMul", by_head("query", [0, 2, 1, 3]), by_head("key", [0, 2, 3, 1]))
    scaled = net.node("Div", products, net.table((WIDTH / HEADS) ** 0.5))
    weights = net.node("Softmax", net.node("Add", scaled, hidden), axis=-1)
    heard = net.node("MatMul", weights, by_head("value", [0, 2, 1, 3]))
    rows = net.node("Transpose", heard, perm=[0, 2, 1, 3])
    return net.node("Reshape", rows, net.table([0, 0, WIDTH], "int64"))


def _mean(net: _Net, state: str) -> str:
    mask = net.node("Unsqueeze", "mask", net.table([2], "int64"))
    summed = net.node("ReduceSum", net.node("Mul", state, mask), net.table([1], "int64"), keepdims=0)
    return net.node("LpNormalization", summed, axis=-1, p=2)
