"""Pictures of the graph that backward walks.

`make_dot` writes the graph in Graphviz' language; the ``dot`` program, where it is installed, draws
it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rushlight.tensor import Tensor

_STYLE = """\
  graph [bgcolor=white, ranksep=0.3, nodesep=0.25]
  node [shape=box, style="rounded,filled", fillcolor="#eeeeee", color="#555555",
        fontname="Helvetica", fontsize=11, height=0.3, margin="0.12,0.05"]
  edge [color="#777777", arrowsize=0.7]
"""
_LEAF = 'fillcolor="#cfe3f7"'
_OUTPUT = 'fillcolor="#cdebcb"'


class Graph:
    """A graph in Graphviz' language; a notebook shows it as a picture.

    Args:
        source: the text.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def render(self, format: str) -> bytes:
        """The picture in a format that ``dot -T`` knows: svg, png, pdf.

        Raises:
            RuntimeError: ``dot`` is not installed, or it reports an error.
        """
        dot = shutil.which("dot")
        if dot is None:
            raise RuntimeError(
                "make_dot: drawing needs Graphviz, and its program 'dot' was not found. Install it "
                "(apt install graphviz, brew install graphviz), or use .source, the text."
            )
        done = subprocess.run([dot, f"-T{format}"], input=self.source.encode(), capture_output=True)
        if done.returncode:
            raise RuntimeError(f"make_dot: dot failed: {done.stderr.decode().strip()}")
        return done.stdout

    def svg(self) -> str:
        """The picture as SVG text."""
        return self.render("svg").decode()

    def _repr_svg_(self) -> str:
        return self.svg()

    def save(self, path: str | Path) -> Path:
        """Write the text (``.dot``, ``.gv``) or, by any other suffix, the picture; return the path.

        Raises:
            RuntimeError: as `render`.
        """
        path = Path(path)
        if path.suffix in (".dot", ".gv"):
            path.write_text(self.source, encoding="utf-8")
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
    lines = []
    numbers: dict[Any, int] = {}  # also keeps the nodes alive, so that none is met as another
    for i, tensor in enumerate(outputs):
        if tensor.grad_fn is None:
            raise RuntimeError(
                f"make_dot: output {i} has no grad_fn, so there is no graph to draw. Was it "
                "computed from a tensor that requires grad, outside no_grad()?"
            )
        label = _quoted(f"output\n{tuple(tensor.shape)}")
        lines += [f"  output{i} [label={label}, {_OUTPUT}]"]
        lines += _nodes_above(tensor.grad_fn, numbers, names)
        lines += [f"  n{numbers[tensor.grad_fn]} -> output{i}"]
    return Graph("\n".join(["digraph {", _STYLE, *lines, "}", ""]))


def _nodes_above(root: Any, numbers: dict[Any, int], names: Mapping[int, str]) -> list[str]:
    """Lines for the nodes from `root` up that have no number yet, and for the edges into them."""
    if root in numbers:
        return []
    lines = []
    numbers[root] = len(numbers)
    pending = [root]
    while pending:
        node = pending.pop()
        lines.append(f"  n{numbers[node]} [{_attributes(node, names)}]")
        for source, _ in node.next_functions:
            if source is None:
                continue
            if source not in numbers:
                numbers[source] = len(numbers)
                pending.append(source)
            lines.append(f"  n{numbers[source]} -> n{numbers[node]}")
    return lines


def _attributes(node: Any, names: Mapping[int, str]) -> str:
    variable = getattr(node, "variable", None)
    if variable is None:
        # PyTorch's own leaves call themselves torch::autograd::AccumulateGrad.
        return f"label={_quoted(node.name().rpartition('::')[2])}"
    label = "\n".join(filter(None, [names.get(id(variable)), str(tuple(variable.shape))]))
    return f"label={_quoted(label)}, {_LEAF}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
