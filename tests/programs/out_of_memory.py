"""An allocation that cannot be had is an error that the program survives."""

import torch

x = torch.ones(3, requires_grad=True)
size = 1 << 46
for attempt in range(2):
    try:
        torch.empty(size)
    except RuntimeError as error:
        print("refused", attempt, "names the bytes", str(4 * size) in str(error))
try:
    # The matrix is a view of three numbers; its square would be of 2**62 bytes.
    wide = x[:1].expand(1 << 30)
    wide[:, None] * wide
except RuntimeError as error:
    print("refused", "names the bytes", str(1 << 62) in str(error))
(x * 2).sum().backward()
print("goes on", x.grad.tolist())
