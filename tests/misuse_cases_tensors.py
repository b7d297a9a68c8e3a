"""Programs with tensors, layers and optimizers that do not fit; see `misuse_cases`."""

from __future__ import annotations

from typing import Any

from misuse_cases import leaf, misuse

# ---- Shapes ----


@misuse(
    RuntimeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)", "mm", "float32 [2, 3]"
)
def inner_sizes(torch: Any) -> None:
    torch.ones(2, 3) @ torch.ones(2, 3)  # <-


@misuse(
    RuntimeError,
    "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1",
    "add",
    "[2, 3]",
    "[4]",
)
def sizes_that_do_not_broadcast(torch: Any) -> None:
    torch.ones(2, 3) + torch.ones(4)  # <-


@misuse(
    RuntimeError,
    "output with shape [3] doesn't match the broadcast shape [2, 3]",
    "add",
    "float32 [3]",
)
def in_place_to_a_greater_shape(torch: Any) -> None:
    x = torch.ones(3)
    x += torch.ones(2, 3)  # <-


@misuse(
    RuntimeError, "Sizes of tensors must match except in dimension 0.", "cat", "[2, 3]", "[2, 4]"
)
def cat_of_sizes(torch: Any) -> None:
    torch.cat([torch.ones(2, 3), torch.ones(2, 4)])  # <-


@misuse(ValueError, "torch.cat(): expected a non-empty list of Tensors", "cat")
def cat_of_nothing(torch: Any) -> None:
    torch.cat([])  # <-


@misuse(
    RuntimeError,
    "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1",
    "float32 [2], float32 [3]",
)
def stack_of_sizes(torch: Any) -> None:
    torch.stack([torch.ones(2), torch.ones(3)])  # <-


@misuse(RuntimeError, "shape '[4]' is invalid for input of size 6", "view", "float32 [6]")
def view_of_a_wrong_size(torch: Any) -> None:
    torch.ones(6).view(4)  # <-


@misuse(
    RuntimeError,
    "view size is not compatible with input tensor's size and stride",
    "view",
    "float32 [3, 2]",
)
def view_of_a_transposed_matrix(torch: Any) -> None:
    torch.ones(2, 3).t().view(6)  # <-


@misuse(RuntimeError, "shape '[4, -1]' is invalid for input of size 6", "view", "float32 [2, 3]")
def reshape_to_a_wrong_size(torch: Any) -> None:
    torch.ones(2, 3).reshape(4, -1)  # <-


@misuse(
    RuntimeError, "The expanded size of the tensor (4) must match the existing size (3)", "[2, 3]"
)
def expand_of_a_size(torch: Any) -> None:
    torch.ones(2, 3).expand(2, 4)  # <-


@misuse(RuntimeError, "mat1 and mat2 shapes cannot be multiplied (1x3 and 4x2)", "[1, 3]", "[4, 2]")
def features_of_a_linear_layer(torch: Any) -> None:
    layer = torch.nn.Linear(4, 2)
    layer(torch.ones(1, 3))  # <-


@misuse(RuntimeError, "mat1 and mat2 shapes cannot be multiplied (8x16 and 128x10)", "[8, 16]")
def features_inside_of_a_model(torch: Any) -> None:
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(128, 10))
    model(torch.ones(8, 4))  # <-


@misuse(
    RuntimeError,
    "Given groups=1, weight of size [8, 3, 3, 3], expected input[1, 1, 5, 5] to have 3 channels",
    "[1, 1, 5, 5]",
)
def channels_of_a_convolution(torch: Any) -> None:
    layer = torch.nn.Conv2d(3, 8, 3)
    layer(torch.ones(1, 1, 5, 5))  # <-


@misuse(
    ValueError, "Expected input batch_size (4) to match target batch_size (3).", "[4, 5]", "[3]"
)
def batch_of_targets(torch: Any) -> None:
    torch.nn.CrossEntropyLoss()(torch.ones(4, 5), torch.zeros(3).long())  # <-


@misuse(IndexError, "Target 5 is out of bounds.", "[4, 5]", "int64 [4]")
def class_that_is_not_there(torch: Any) -> None:
    target = torch.full((4,), 5)
    torch.nn.functional.cross_entropy(torch.ones(4, 5), target)  # <-


@misuse(
    ValueError, "Expected input batch_size (4) to match target batch_size (2).", "[4, 5]", "[2]"
)
def batch_of_targets_of_a_function(torch: Any) -> None:
    torch.nn.functional.cross_entropy(torch.ones(4, 5), torch.tensor([0, 1]))  # <-


@misuse(
    ValueError, "Using a target size (torch.Size([3])) that is different to the input", "[3, 1]"
)
def target_of_a_binary_loss(torch: Any) -> None:
    torch.nn.functional.binary_cross_entropy(torch.ones(3, 1), torch.ones(3))  # <-


@misuse(RuntimeError, "permute(sparse_coo): number of dimensions in the tensor input", "[2, 3]")
def permute_of_too_few(torch: Any) -> None:
    torch.ones(2, 3).permute(0)  # <-


@misuse(RuntimeError, "both arguments to matmul need to be at least 1D, but they are", "[2]", "[]")
def matmul_of_a_number(torch: Any) -> None:
    torch.matmul(torch.ones(2), torch.tensor(2.0))  # <-


@misuse(TypeError, "linear(): argument 'input'", "must be Tensor, not list", "linear")
def layer_of_a_list(torch: Any) -> None:
    torch.nn.functional.linear([1.0], torch.ones(1, 1))  # <-


# ---- Dimensions and indices ----


@misuse(
    IndexError,
    "Dimension out of range (expected to be in range of [-2, 1], but got 2)",
    "sum",
    "[2, 3]",
)
def dim_that_is_not_there(torch: Any) -> None:
    torch.ones(2, 3).sum(2)  # <-


@misuse(IndexError, "Dimension out of range (expected to be in range of [-1, 0], but got 1)", "[2]")
def size_of_a_dim_that_is_not_there(torch: Any) -> None:
    torch.ones(2).size(1)  # <-


@misuse(
    IndexError,
    "Dimension out of range (expected to be in range of [-1, 0], but got 1)",
    "softmax",
    "[3]",
)
def softmax_over_a_dim_that_is_not_there(torch: Any) -> None:
    torch.nn.Softmax(dim=1)(torch.ones(3))  # <-


@misuse(
    IndexError, "index 3 is out of bounds for dimension 0 with size 3", "getitem", "float32 [3]"
)
def index_out_of_range(torch: Any) -> None:
    torch.ones(3)[3]  # <-


@misuse(IndexError, "index 7 is out of bounds for dimension 0 with size 3", "float32 [3]")
def array_of_indices_out_of_range(torch: Any) -> None:
    torch.ones(3)[torch.tensor([0, 7])]  # <-


@misuse(IndexError, "too many indices for tensor of dimension 1", "getitem", "float32 [3]")
def too_many_indices(torch: Any) -> None:
    torch.ones(3)[0, 0]  # <-


@misuse(
    IndexError, "tensors used as indices must be long, int, byte or bool tensors", "float32 [2]"
)
def floats_as_indices(torch: Any) -> None:
    torch.ones(3)[torch.ones(2)]  # <-


@misuse(IndexError, "The shape of the mask [2] at index 0 does not match the shape of", "[3]")
def mask_of_another_shape(torch: Any) -> None:
    torch.ones(3)[torch.tensor([True, False])]  # <-


@misuse(ValueError, "step must be greater than zero", "getitem", "float32 [3]")
def negative_step(torch: Any) -> None:
    torch.ones(3)[::-1]  # <-


@misuse(IndexError, "invalid index of a 0-dim tensor.", "getitem", "float32 []")
def index_of_a_scalar(torch: Any) -> None:
    torch.tensor(1.0)[0]  # <-


@misuse(IndexError, "index out of range in self", "[3, 2]")
def word_that_is_not_embedded(torch: Any) -> None:
    torch.nn.Embedding(3, 2)(torch.tensor([3]))  # <-


@misuse(
    RuntimeError, "Index tensor must have the same number of dimensions as input tensor", "[2, 3]"
)
def gather_of_ranks(torch: Any) -> None:
    torch.ones(2, 3).gather(1, torch.tensor([0]))  # <-


# ---- Types ----


@misuse(
    RuntimeError,
    "expected m1 and m2 to have the same dtype, but got: float != double",
    "float32 [2, 3]",
    "float64 [3, 2]",
)
def matmul_of_types(torch: Any) -> None:
    torch.ones(2, 3) @ torch.ones(3, 2, dtype=torch.float64)  # <-


@misuse(
    RuntimeError,
    "mat1 and mat2 must have the same dtype, but got Double and Float",
    "float64 [1, 3]",
)
def data_in_double(torch: Any) -> None:
    layer = torch.nn.Linear(3, 2)
    layer(torch.ones(1, 3, dtype=torch.float64))  # <-


@misuse(RuntimeError, "expected target dtype to be Long or Byte, but got", "float32 [4]")
def classes_that_are_floats(torch: Any) -> None:
    torch.nn.functional.nll_loss(torch.ones(4, 5), torch.zeros(4))  # <-


@misuse(RuntimeError, "expected target dtype to be Long or Byte, but got", "float32 [4]")
def cross_entropy_of_floats(torch: Any) -> None:
    torch.nn.CrossEntropyLoss()(torch.ones(4, 5), torch.zeros(4))  # <-


@misuse(
    RuntimeError, "result type Float can't be cast to the desired output type Long", "add", "int64"
)
def floats_into_integers(torch: Any) -> None:
    x = torch.tensor([1, 2])
    x += 0.5  # <-


@misuse(RuntimeError, "mean(): could not infer output dtype.", "mean", "int64 [2]")
def mean_of_integers(torch: Any) -> None:
    torch.tensor([1, 2]).mean()  # <-


@misuse(RuntimeError, "Negation, the `-` operator, on a bool tensor is not supported.", "bool [2]")
def negative_of_bools(torch: Any) -> None:
    -torch.tensor([True, False])  # <-


@misuse(RuntimeError, "Subtraction, the `-` operator, with two bool tensors is not", "bool [1]")
def difference_of_bools(torch: Any) -> None:
    torch.tensor([True]) - torch.tensor([True])  # <-


@misuse(RuntimeError, "where expected condition to be a boolean tensor, but got", "float32 [2]")
def where_of_floats(torch: Any) -> None:
    torch.where(torch.ones(2), torch.ones(2), torch.zeros(2))  # <-


@misuse(
    RuntimeError,
    "Expected tensor for argument #1 'indices' to have one of the following",
    "float32 [2]",
)
def embedding_of_floats(torch: Any) -> None:
    torch.nn.Embedding(3, 2)(torch.ones(2))  # <-


@misuse(TypeError, "unsupported operand type(s) for +: 'Tensor' and 'str'")
def sum_with_a_word(torch: Any) -> None:
    torch.ones(2) + "1"  # <-


@misuse(
    TypeError, "expected Tensor as element 1 in argument 0, but got float", "cat", "float32 [1]"
)
def cat_of_a_float(torch: Any) -> None:
    torch.cat([torch.ones(1), 2.0])  # <-


@misuse(TypeError, "exp(): argument 'input'", "must be Tensor, not float", "exp")
def exp_of_a_float(torch: Any) -> None:
    torch.exp(1.0)  # <-


# ---- To Python ----


@misuse(
    RuntimeError, "Boolean value of Tensor with more than one value is ambiguous", "bool", "[2]"
)
def truth_of_several_elements(torch: Any) -> None:
    if torch.ones(2) > 0:  # <-
        pass


@misuse(RuntimeError, "a Tensor with 2 elements cannot be converted to Scalar", "item", "[2]")
def item_of_several_elements(torch: Any) -> None:
    torch.ones(2).item()  # <-


@misuse(TypeError, "only integer tensors of a single element can be converted to an index", "[2]")
def index_of_several_elements(torch: Any) -> None:
    [1, 2][torch.tensor([0, 1])]  # <-


@misuse(TypeError, "len() of a 0-d tensor", "len", "float32 []")
def len_of_a_scalar(torch: Any) -> None:
    len(torch.tensor(1.0))  # <-


@misuse(TypeError, "iteration over a 0-d tensor", "iter", "float32 []")
def iteration_over_a_scalar(torch: Any) -> None:
    for _ in torch.tensor(1.0):  # <-
        pass


@misuse(
    RuntimeError,
    "add(): functions with out=... arguments don't support automatic differentiation",
    "[2]",
)
def out_with_grad(torch: Any) -> None:
    torch.add(leaf(torch), 1, out=torch.empty(2))  # <-


@misuse(AttributeError, "'Tensor' object has no attribute 'backwards'")
def attribute_that_is_not_there(torch: Any) -> None:
    leaf(torch).backwards()  # <-


@misuse(RuntimeError, "Expected one of cpu, cuda", "ones")
def device_that_is_not_there(torch: Any) -> None:
    torch.ones(2, device="gpu")  # <-


# ---- Modules and optimizers ----


@misuse(ValueError, "can't optimize a non-leaf Tensor", "MulBackward0", "[2]")
def optimizer_of_a_result(torch: Any) -> None:
    weight = leaf(torch) * 0.01  # <-
    torch.optim.SGD([weight], lr=0.1)


@misuse(ValueError, "optimizer got an empty parameter list")
def optimizer_of_nothing(torch: Any) -> None:
    torch.optim.Adam([])  # <-


@misuse(
    TypeError,
    "params argument given to the optimizer should be an iterable of Tensors or dicts, but got",
    "[2]",
)
def optimizer_of_a_tensor(torch: Any) -> None:
    torch.optim.Adam(leaf(torch))  # <-


@misuse(TypeError, "optimizer can only optimize Tensors, but one of the params is")
def optimizer_of_names(torch: Any) -> None:
    torch.optim.SGD(["weight"], lr=0.1)  # <-


@misuse(ValueError, "some parameters appear in more than one parameter group", "[2]")
def optimizer_of_two_groups(torch: Any) -> None:
    x = leaf(torch)
    torch.optim.SGD([{"params": [x]}, {"params": [x]}], lr=0.1)  # <-


@misuse(ValueError, "Invalid learning rate: -1")
def negative_learning_rate(torch: Any) -> None:
    torch.optim.SGD([leaf(torch)], lr=-1)  # <-


@misuse(ValueError, "loaded state dict has a different number of parameter groups")
def state_of_another_optimizer(torch: Any) -> None:
    x, y = leaf(torch), leaf(torch)
    two = torch.optim.SGD([{"params": [x]}, {"params": [y]}], lr=0.1)
    torch.optim.SGD([x], lr=0.1).load_state_dict(two.state_dict())  # <-


@misuse(RuntimeError, "Error(s) in loading state_dict for Linear:", "[3, 2]", "[2, 2]")
def state_of_another_shape(torch: Any) -> None:
    torch.nn.Linear(2, 2).load_state_dict(torch.nn.Linear(2, 3).state_dict())  # <-


@misuse(RuntimeError, "Error(s) in loading state_dict for Sequential:", "0.weight")
def state_with_other_names(torch: Any) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    model.load_state_dict({"weight": torch.ones(2, 2)})  # <-


@misuse(NotImplementedError, "Module [Module] is missing the required", "[2]")
def module_without_forward(torch: Any) -> None:
    torch.nn.Module()(torch.ones(2))  # <-


@misuse(AttributeError, "cannot assign parameters before Module.__init__() call")
def module_without_init(torch: Any) -> None:
    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.weight = torch.nn.Parameter(torch.ones(1))  # <-

    Model()


@misuse(TypeError, "cannot assign 'torch.FloatTensor' as parameter 'weight'", "[2, 2]")
def tensor_as_parameter(torch: Any) -> None:
    torch.nn.Linear(2, 2).weight = torch.ones(2, 2)  # <-


@misuse(ValueError, "dropout probability has to be between 0 and 1, but got 2")
def dropout_of_everything_twice(torch: Any) -> None:
    torch.nn.Dropout(2)  # <-


@misuse(
    RuntimeError, "The total norm of order 2.0 for gradients from `parameters` is non-finite", "[2]"
)
def norm_that_is_not_finite(torch: Any) -> None:
    x = leaf(torch)
    x.grad = torch.tensor([float("nan"), 1.0])
    torch.nn.utils.clip_grad_norm_([x], 1.0, error_if_nonfinite=True)  # <-
