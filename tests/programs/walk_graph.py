"""From the loss to the leaves by hand."""

import torch
from torch import nn


def walk(fn, depth=0):
    if fn is None:
        return
    # PyTorch's AccumulateGrad calls itself torch::autograd::AccumulateGrad.
    print("  " * depth + fn.name().split("::")[-1], type(fn).__name__, str(fn).split(" object")[0])
    if hasattr(fn, "variable"):
        print("  " * depth + "of shape", tuple(fn.variable.shape))
    for following, index in fn.next_functions:
        print("  " * depth + "input", index)
        walk(following, depth + 1)


inputs = torch.ones(4, 3)
params = torch.full((3,), 2.0, requires_grad=True)
targets = torch.zeros(4)
loss = torch.abs((inputs * params).sum(axis=1) - targets).mean()
print(loss)
walk(loss.grad_fn)
product = loss.grad_fn.next_functions[0][0].next_functions[0][0].next_functions[0][0]
product = product.next_functions[0][0]
print("data has no node", product.next_functions[0][0])
print("the leaf is the parameter", product.next_functions[1][0].variable is params)
print("leaves", params.is_leaf, params.grad_fn, loss.is_leaf)
walk(((-params).exp() / ((params + 1) * (params - 3)) - params.sqrt() * params.log()).sum().grad_fn)


def leaves(fn):
    """The tensors that backward reaches from fn, each once."""
    if fn is None:
        return {}
    if hasattr(fn, "variable"):
        return {id(fn.variable): fn.variable}
    found = {}
    for following, _ in fn.next_functions:
        found.update(leaves(following))
    return found


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1), nn.Sigmoid())
loss = nn.MSELoss()(net(inputs), targets[:, None])
print(loss.grad_fn.name(), loss.grad_fn.next_functions[0][0].name())
found = leaves(loss.grad_fn)
print("leaves found", len(found), all(id(parameter) in found for parameter in net.parameters()))
