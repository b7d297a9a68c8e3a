"""The ways to clear gradients."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
inputs = torch.randn(6, 4)


def backward():
    net(inputs).pow(2).mean().backward()


def show(name):
    grads = [parameter.grad for parameter in net.parameters()]
    print(name, [None if grad is None else grad.flatten().tolist() for grad in grads])


show("at first")
backward()
show("after backward")
optimizer.zero_grad()
show("optimizer.zero_grad()")
backward()
optimizer.zero_grad(set_to_none=False)
show("optimizer.zero_grad(set_to_none=False)")
backward()
net.zero_grad()
show("net.zero_grad()")
backward()
net.zero_grad(set_to_none=False)
show("net.zero_grad(set_to_none=False)")
backward()
once = net[0].weight.grad.clone()
for parameter in net.parameters():
    parameter.grad = None
show("grad = None")
backward()
print("as at first", torch.equal(once, net[0].weight.grad))
backward()
print("not cleared, so doubled", torch.allclose(2 * once, net[0].weight.grad))
