"""What backward refuses, and with which words."""

import torch

plain = torch.ones(3)
try:
    plain.sum().backward()
except RuntimeError as error:
    print(type(error).__name__, error)

x = torch.arange(3.0, requires_grad=True)
try:
    (x * 2).backward()
except RuntimeError as error:
    print(type(error).__name__, error)
print("no gradient yet", x.grad)

(x * 2).backward(torch.tensor([1.0, 10.0, 100.0]))
print("with a gradient", x.grad.tolist())

with torch.no_grad():
    y = x * 2
print("inside no_grad", y.requires_grad, y.grad_fn, x.requires_grad)
try:
    y.sum().backward()
except RuntimeError as error:
    print(type(error).__name__, error)
