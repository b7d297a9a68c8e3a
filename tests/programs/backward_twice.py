"""Gradients accumulate; a graph is walked once unless it is retained."""

import torch

torch.manual_seed(0)
x = torch.randn(5, requires_grad=True)

loss = (x * x).sum()
loss.backward(retain_graph=True)
first = x.grad.clone()
loss.backward()
print("first", first.tolist())
print("second", x.grad.tolist())
print("doubled", torch.equal(x.grad, 2 * first))
try:
    loss.backward()
except RuntimeError as error:
    print(type(error).__name__, error)
print("unchanged by the failure", torch.equal(x.grad, 2 * first))

x.grad = None
for _ in range(3):
    (x * x).sum().backward()
print("three fresh graphs", torch.allclose(x.grad, 3 * first))
