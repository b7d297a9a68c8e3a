"""Pictures of the graph that backward walks.

`make_dot` gathers the graph; the ``dot`` program of Graphviz, where it is installed, draws it, and
where it is not, `_layered` draws a simpler SVG.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rushlight.autograd.node import Node
from rushlight.autograd.site import line_number
from rushlight.tensor import Tensor
from rushlight.utils._layered import Box
from rushlight.utils._layered import svg as layered_svg

_STYLE = """\
  graph [bgcolor=white, ranksep=0.3, nodesep=0.25]
  node [shape=box, style="rounded,filled", fillcolor="#eeeeee", color="#555555",
        fontname="Helvetica", fontsize=11, height=0.3, margin="0.12,0.05"]
  edge [color="#777777", arrowsize=0.7]
"""
_SHAPES = 3  # of the results of one operation
_OPERATION, _LEAF, _OUTPUT = "#eeeeee", "#cfe3f7", "#cdebcb"


class Graph:
    """A graph that can be drawn; a notebook shows it as a picture.

    Args:
        boxes: the text and the colour of each node, by its name.
        edges: pairs of names.

    Attributes:
        source: the graph in Graphviz' language.
    """

    def __init__(self, boxes: dict[str, Box], edges: list[tuple[str, str]]) -> None:
        self._boxes = boxes
        self._edges = edges

    @property
    def source(self) -> str:
        """The graph in Graphviz' language."""
        lines = []
        for name, box in self._boxes.items():
            fill = "" if box.fill == _OPERATION else f', fillcolor="{box.fill}"'
            lines.append(f"  {name} [label={_quoted(box.lines)}{fill}]")
        lines += [f"  {top} -> {bottom}" for top, bottom in self._edges]
        return "\n".join(["digraph {", _STYLE, *lines, "}", ""])

    def render(self, format: str) -> bytes:
        """The picture in a format that ``dot -T`` knows: svg, png, pdf.

        Raises:
            RuntimeError: ``dot`` is not installed, or it reports an error.
        """
        dot = shutil.which("dot")
        if dot is None:
            raise RuntimeError(
                f"make_dot: drawing {format} needs Graphviz, and its program 'dot' was not found. "
                "Install it (apt install graphviz, brew install graphviz), or use .svg()."
            )
        done = subprocess.run([dot, f"-T{format}"], input=self.source.encode(), capture_output=True)
        if done.returncode:
            raise RuntimeError(f"make_dot: dot failed: {done.stderr.decode().strip()}")
        return done.stdout

    def svg(self) -> str:
        """The picture as SVG text, by ``dot`` where it is installed."""
        if shutil.which("dot") is not None:
            return self.render("svg").decode()
        numbers = {name: i for i, name in enumerate(self._boxes)}
        edges = [(numbers[top], numbers[bottom]) for top, bottom in self._edges]
        return layered_svg(list(self._boxes.values()), edges)

    def _repr_svg_(self) -> str:
        return self.svg()

    def save(self, path: str | Path) -> Path:
        """Write the text (``.dot``, ``.gv``) or, by any other suffix, the picture; return the path.

        Raises:
            RuntimeError: as `render`; an ``.svg`` needs no Graphviz.
        """
        path = Path(path)
        if path.suffix in (".dot", ".gv"):
            path.write_text(self.source, encoding="utf-8")
        elif path.suffix == ".svg":
            path.write_text(self.svg(), encoding="utf-8")
        else:
            path.write_bytes(self.render(path.suffix.removeprefix(".")))
        return path

    def __str__(self) -> str:
        return self.source


def make_dot(
    output: Tensor | Iterable[Tensor],
    params: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None,
) -> Graph:
    """Draw the graph that ``output.backward()`` would walk, from the leaves down to the output.

    Each operation shows its name, the shape of its result, and the line of the program that called
    it; each leaf its name and shape.

    Args:
        output: a tensor with a ``grad_fn``, or several.
        params: names for the leaves, such as ``dict(net.named_parameters())``; a leaf that is not
            in it shows its shape alone.

    Returns:
        The graph: ``.source``, ``.svg()``, ``.save(path)``.

    Raises:
        RuntimeError: an output has no graph.

    Example:
        >>> import rushlight as torch
        >>> from rushlight.utils.viz import make_dot
        >>> w = torch.ones(2, requires_grad=True)
        >>> print(make_dot((w * w).mean(), {"w": w}).source.count("->"))
        4
    """
    outputs = [output] if isinstance(output, Tensor) else list(output)
    names = {id(tensor): name for name, tensor in dict(params or {}).items()}
    boxes: dict[str, Box] = {}
    edges: list[tuple[str, str]] = []
    numbers: dict[Any, str] = {}  # also keeps the nodes alive, so that none is met as another
    for i, tensor in enumerate(outputs):
        if tensor.grad_fn is None:
            raise RuntimeError(
                f"make_dot: output {i} has no grad_fn, so there is no graph to draw. Was it "
                "computed from a tensor that requires grad, outside no_grad()?"
            )
        for node in _nodes_above(tensor.grad_fn, numbers):
            boxes[numbers[node]] = _box(node, names)
            edges += [
                (numbers[source], numbers[node])
                for source, _ in node.next_functions
                if source is not None
            ]
        boxes[f"output{i}"] = Box(("output", str(tuple(tensor.shape))), _OUTPUT)
        edges.append((numbers[tensor.grad_fn], f"output{i}"))
    return Graph(boxes, edges)


def _nodes_above(root: Any, numbers: dict[Any, str]) -> list[Any]:
    """The nodes from `root` up that have no number yet; gives them one."""
    found: list[Any] = []
    pending = [root]
    while pending:
        node = pending.pop()
        if node not in numbers:
            numbers[node] = f"n{len(numbers)}"
            found.append(node)
            pending += [source for source, _ in node.next_functions if source is not None]
    return found


def _box(node: Any, names: Mapping[int, str]) -> Box:
    variable = getattr(node, "variable", None)
    if variable is not None:
        name = names.get(id(variable))
        sizes = str(tuple(variable.shape))
        return Box((sizes,) if name is None else (name, sizes), _LEAF)
    # PyTorch's own leaves call themselves torch::autograd::AccumulateGrad.
    lines = [node.name().rpartition("::")[2]]
    if isinstance(node, Node):
        shapes = [str(tuple(shape)) for shape, _ in node.outputs()]
        lines.append(" ".join([*shapes[:_SHAPES], *(["..."] if len(shapes) > _SHAPES else [])]))
        if node.site is not None:
            file = Path(node.site[0].co_filename).name
            lines.append(f"{file}:{line_number(node.site)}")
    return Box(tuple(lines), _OPERATION)


def _quoted(lines: Sequence[str]) -> str:
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
