"""One op, one place: kernels, rows, cases and backends name the same things."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from op_cases import CASES

import rushlight
from rushlight import ops
from rushlight._kernels import POINTWISE
from rushlight.backend import cpu
from rushlight.ops import _registry
from rushlight.ops._registry import op
from rushlight.ops.aliases import ALIASES
from rushlight.tensor import Tensor

HERE = Path(__file__).parent
SOURCES = sorted(Path(ops.__file__).parent.glob("[!_]*.py"))

# Where ops are tested whose results are random, undefined, no tensors, or on another device.
ELSEWHERE = {
    "test_recurrent.py": (
        "gru", "gru_cell", "gru_layer", "lstm", "lstm_cell", "lstm_layer", "rnn_layer",
        "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell",
    ),
    "test_losses.py": ("ctc_alignments", "ctc_alignments_backward"),
    "test_random.py": (
        "bernoulli", "dropout", "multinomial", "normal", "poisson", "rand", "rand_like", "randint",
        "randint_like", "randn", "randn_like", "randperm",
    ),
    "test_tensor.py": (
        "allclose", "arange", "as_tensor", "empty", "empty_like", "equal", "eye", "from_numpy",
        "full", "full_like", "is_tensor", "linspace", "new_empty", "new_full", "new_tensor",
        "numel", "ones", "ones_like", "tensor", "zeros", "zeros_like",
    ),
    "test_array_calls.py": (
        "as_strided_", "detach", "detach_", "fill_", "fill_diagonal_", "get_device", "imag",
        "is_inference", "to_dlpack", "unravel_index",
        "as_strided_copy", "as_strided_scatter", "asarray", "bartlett_window", "blackman_window",
        "broadcast_shapes", "empty_permuted", "empty_strided", "from_dlpack", "frombuffer",
        "hamming_window", "hann_window", "is_complex", "is_conj", "is_floating_point", "is_neg",
        "is_nonzero", "is_same_size", "is_set_to", "is_signed", "is_storage", "kaiser_window",
        "logspace", "new_empty_strided", "range", "resize_", "resize_as_", "scalar_tensor",
        "tril_indices", "triu_indices",
    ),
    "test_distributions.py": (
        "_sample_dirichlet", "_standard_gamma", "binomial", "dirichlet_grad", "standard_gamma_grad",
    ),
    "test_linalg.py": (
        "cholesky", "cholesky_inverse", "cholesky_solve", "det", "geqrf",
        "inverse", "linalg_cholesky_ex", "linalg_cofactor", "linalg_det", "linalg_eigh",
        "linalg_eigvalsh", "linalg_geqrf", "linalg_inv_ex", "linalg_ldl_factor_ex",
        "linalg_ldl_solve", "linalg_lstsq", "linalg_lu_factor_ex", "linalg_matrix_exp",
        "linalg_permutation", "linalg_pinv", "linalg_qr", "linalg_slogdet", "linalg_solve_ex",
        "linalg_solve_triangular", "linalg_svd", "linalg_svdvals", "logdet", "lu", "lu_solve",
        "lu_unpack", "matrix_exp", "orgqr", "ormqr", "pca_lowrank", "pinverse", "qr", "slogdet",
        "svd", "svd_lowrank", "triangular_solve",
    ),
    "test_linalg_errors.py": ("chain_matmul",),
    "test_promotion.py": ("copy_", "zero_"),
    "test_dtypes.py": ("result_type",),
    "test_inplace_programs.py": ("as_strided",),
    "test_cuda.py": ("cuda",),
    "test_layers.py": ("embedding", "embedding_bag", "native_dropout_backward"),
    "layer_cases.py": (
        "_native_batch_norm_legit", "_weight_norm", "adaptive_avg_pool1d", "adaptive_max_pool1d",
        "affine_grid_generator", "alpha_dropout", "alpha_dropout_", "avg_pool1d", "batch_norm",
        "bilinear", "celu", "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_tbc",
        "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution",
        "cosine_similarity", "dropout_", "feature_alpha_dropout",
        "feature_alpha_dropout_", "feature_dropout", "feature_dropout_", "grid_sampler",
        "grid_sampler_2d", "grid_sampler_3d", "group_norm", "hardshrink", "instance_norm",
        "layer_norm", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool3d",
        "native_batch_norm", "native_channel_shuffle", "native_dropout",
        "native_group_norm", "native_layer_norm", "norm_except_dim", "pairwise_distance", "pdist",
        "pixel_shuffle", "pixel_unshuffle", "prelu", "relu_", "rms_norm", "rrelu", "rrelu_", "selu",
        "selu_", "softshrink", "threshold", "threshold_",
    ),
}  # fmt: skip
# Called by a public op that has its own cases.
PARTS = {
    "joined": "split",
    "_frexp": "frexp",
    "_where": "where",
    "moved": "cuda",
    "normal_around": "normal",
    "split_sizes": "split",
    "strided_place": "as_strided",
    "strided_replaced": "copy_",
    "strided_take": "as_strided",
    "strided_view": "as_strided",
    "written": "copy_",
}


def test_every_op_has_a_case() -> None:
    elsewhere = {name for names in ELSEWHERE.values() for name in names}
    covered = {case.op for case in CASES} | elsewhere | set(PARTS) | set(ALIASES)
    assert sorted(set(ops.names()) - covered) == []


def test_no_module_hides_an_op() -> None:
    """``ops.name`` would be the module, which second derivatives would call."""
    assert sorted({source.stem for source in SOURCES} & set(ops.names())) == []


def test_every_case_has_an_op() -> None:
    assert sorted({case.op for case in CASES} - set(ops.names())) == []


@pytest.mark.parametrize("file", ELSEWHERE)
def test_cases_elsewhere_are_there(file: str) -> None:
    text = (HERE / file).read_text()
    assert [name for name in ELSEWHERE[file] if name not in text] == []


def test_labels_tell_cases_apart() -> None:
    names = [str(case) for case in CASES]
    assert sorted({name for name in names if names.count(name) > 1}) == []


# ---- What the formulas use ----


class Uses(ast.NodeVisitor):
    """``K.<name>`` of each function, and the functions it calls by name."""

    def __init__(self) -> None:
        self.kernels: set[str] = set()
        self.calls: set[str] = set()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == "K":
            self.kernels.add(node.attr)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self.calls.add(node.id)


def uses(node: ast.AST) -> Uses:
    found = Uses()
    found.visit(node)
    return found


def rows_of(tree: ast.Module) -> tuple[set[str], set[str]]:
    """The kernels that derivative rows name, and those of forward functions, with their helpers."""
    helpers = {n.name: uses(n) for n in tree.body if isinstance(n, ast.FunctionDef)}
    backward: set[str] = set()
    forward: set[str] = set()
    for function in (n for n in tree.body if isinstance(n, ast.FunctionDef)):
        for call in function.decorator_list:
            if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "op"):
                continue
            for keyword in call.keywords:
                found = uses(keyword.value)
                kernels, queue = set(found.kernels), list(found.calls)
                seen: set[str] = set()
                while queue:
                    name = queue.pop()
                    if name in helpers and name not in seen:
                        seen.add(name)
                        kernels |= helpers[name].kernels
                        queue += helpers[name].calls
                (forward if keyword.arg == "forward" else backward).update(kernels)
    return backward, forward


ROWS = {path.stem: rows_of(ast.parse(path.read_text())) for path in SOURCES}


@pytest.mark.parametrize("family", ROWS)
def test_derivative_rows_name_kernels_and_ops(family: str) -> None:
    """Each formula runs over arrays and, under create_graph, over tensors."""
    backward, _ = ROWS[family]
    assert sorted(name for name in backward if not hasattr(cpu, name)) == []
    # Moving to another device is recorded by `moved` itself.
    recorded = backward - {"to_cpu"}
    assert sorted(name for name in recorded if ops.find(name) is None) == []


@pytest.mark.parametrize("family", ROWS)
def test_forward_rows_name_kernels(family: str) -> None:
    _, forward = ROWS[family]
    assert sorted(name for name in forward if not hasattr(cpu, name)) == []


def test_ops_without_forward_have_a_kernel_of_their_name() -> None:
    lacking = [o.name for o in _registry.registry.values() if o.forward is None]
    assert sorted(name for name in lacking if not hasattr(cpu, name)) == []


def test_every_pointwise_kernel_is_used() -> None:
    named = set(ops.names()).union(*(b | f for b, f in ROWS.values()))
    assert sorted({name for name, _, _ in POINTWISE} - named) == []


def test_pointwise_kernels_take_as_many_tensors_as_their_ops() -> None:
    """`add` and `sub` have `alpha` besides, which their forward function handles."""
    for name, arity, _ in POINTWISE:
        declared = _registry.registry.get(name)
        if declared is not None and declared.forward is None:
            assert len(declared.derivatives) <= arity, name


# ---- Declarations that are refused ----


def declare(arguments: str, **rows: Any) -> Any:
    """An op of this signature, not registered for good."""
    scope: dict[str, Any] = {"Tensor": Tensor}
    exec(f"from __future__ import annotations\ndef bad({arguments}) -> Tensor: ...", scope)
    try:
        return op(method=False, **rows)(scope["bad"])
    finally:
        _registry.registry.pop("bad", None)


BAD = {
    "no row": (
        "x: Tensor, y: Tensor",
        {"x": lambda K, g: g},
        r"bad: no derivative row for \['y'\]",
    ),
    "row of no argument": (
        "x: Tensor",
        {"x": None, "z": None},
        r"bad: derivative rows for \['z'\], which are no tensors",
    ),
    "row of a number": (
        "x: Tensor, n: int",
        {"x": None, "n": lambda K, g: g},
        r"bad: derivative rows for \['n'\], which are no tensors",
    ),
    "misspelt name": (
        "x: Tensor",
        {"x": lambda K, g, ouput: K.mul(g, ouput)},
        "bad: the derivative of x names 'ouput'",
    ),
    "shape of no tensor": (
        "x: Tensor",
        {"x": lambda K, g, y_shape: K.expand(g, y_shape)},
        "bad: the derivative of x names 'y_shape'",
    ),
    "misspelt in joint": (
        "x: Tensor",
        {"joint": lambda K, g, needs, w: (g,)},
        "bad: the derivative of x names 'w'",
    ),
}


@pytest.mark.parametrize(("arguments", "rows", "message"), BAD.values(), ids=BAD)
def test_bad_declarations_are_refused(arguments: str, rows: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        declare(arguments, **rows)


def test_a_good_declaration_is_taken() -> None:
    declared = declare(
        "x: Tensor, n: int",
        x=lambda K, g, n: K.mul(g, n),
        forward=lambda K, x, n: K.mul(x, n),
    )
    x = rushlight.ones(2, requires_grad=True)
    declared(x, 3).backward(rushlight.ones(2))
    assert x.grad.tolist() == [3.0, 3.0]
    assert declared(x, 3).grad_fn.name() == "BadBackward0"


def test_joint_rows_compute_only_what_is_needed() -> None:
    asked = []

    def joint(K: Any, g: Any, needs: Any, x: Any, y: Any) -> Any:
        asked.append(needs)
        return (K.mul(g, y) if needs[0] else None, K.mul(g, x) if needs[1] else None)

    declared = declare("x: Tensor, y: Tensor", joint=joint, forward=lambda K, x, y: K.mul(x, y))
    x, y = rushlight.full((2,), 3.0, requires_grad=True), rushlight.full((2,), 5.0)
    declared(x, y).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]
    assert asked == [(True, False)]


def test_unwanted_gradients_are_not_computed() -> None:
    def fail(K: Any, g: Any) -> Any:
        raise AssertionError("computed")

    declared = declare(
        "x: Tensor, y: Tensor", x=lambda K, g: g, y=fail, forward=lambda K, x, y: K.add(x, y)
    )
    x = rushlight.ones(2, requires_grad=True)
    declared(x, rushlight.ones(2)).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_methods_are_bound() -> None:
    for declared in _registry.registry.values():
        for name, _ in declared.methods:
            assert callable(getattr(Tensor, name)), name


def test_unknown_names_fail_by_name() -> None:
    with pytest.raises(AttributeError, match=r"rushlight has no torch\.frobnicate"):
        rushlight.frobnicate  # noqa: B018
    with pytest.raises(AttributeError, match="frobnicate"):
        ops.frobnicate  # noqa: B018
