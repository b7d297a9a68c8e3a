"""Tensors on a CUDA device: names, placement, errors, memory, and training as on the CPU."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import backend, nn, optim
from rushlight.backend import cpu
from tests import cupy_stand_in
from tests.cuda_device import Device, cuda_device  # noqa: F401 - the fixture `device`

# Of the process or of the CPU's allocator: no kernels.
HOST_ONLY = {
    "Generator",
    "execution_order",
    "get_num_threads",
    "isa",
    "promote_types",
    "scalar_name",
    "new_node",
    "next_order",
    "record",
    "set_cache_limit",
    "set_default_floating",
    "set_library",
    "set_node",
    "set_num_threads",
    "set_tensor",
    "site",
    "watch_inference",
    "wrap",
}


def public_names(module: Any) -> set[str]:
    found = {n for n, x in vars(module).items() if callable(x) and not n.startswith("_")}
    return found - {"Any", "Array", "Sequence"}


def test_backends_have_the_same_names() -> None:
    assert public_names(backend.device_kernels("cuda")) == public_names(cpu) - HOST_ONLY
    assert public_names(cpu) > HOST_ONLY


# ---- Placement ----


def test_moving(device: Device) -> None:
    x = rushlight.tensor([1.0, 2.0])
    assert str(x.device) == "cpu"
    for there in (x.to("cuda"), x.cuda(), x.to(rushlight.device("cuda")), x.to("cuda:0")):
        assert there.is_cuda
        assert there.device == rushlight.device("cuda", 0)
        assert there.to("cuda") is there
        assert str(there) == "tensor([1., 2.], device='cuda:0')"
        back = there.cpu()
        assert back.tolist() == [1.0, 2.0]
        assert not back.is_cuda
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        x.cuda().numpy()


def test_new_tensors(device: Device) -> None:
    made = [
        rushlight.zeros(2, 3, device="cuda"),
        rushlight.full((2, 3), 0.0, device="cuda"),
        rushlight.tensor([[0.0] * 3] * 2, device="cuda"),
        rushlight.ones(2, 3, device="cuda") - 1,
        rushlight.zeros_like(rushlight.empty(2, 3, device="cuda")),
    ]
    for x in made:
        assert x.is_cuda
        assert x.tolist() == [[0.0] * 3] * 2
    drawn = rushlight.manual_seed(3) and rushlight.randn(5, device="cuda")
    assert drawn.is_cuda
    rushlight.manual_seed(3)
    assert drawn.cpu().tolist() == rushlight.randn(5).tolist()


def test_views_and_in_place(device: Device) -> None:
    x = rushlight.arange(6, device="cuda").reshape(2, 3)
    x[0] += 10
    x.t()[2, 1] = -1
    x[:, 1].fill_(7)
    assert x.tolist() == [[10, 7, 12], [3, 7, -1]]
    assert x[x > 5].tolist() == [10, 7, 12, 7]
    assert x.max().item() == 12
    assert int(x[1, 0]) == 3
    assert [row.sum().item() for row in x] == [29, 9]


def test_gradients_pass_between_devices(device: Device) -> None:
    x = rushlight.tensor([1.0, 2.0], requires_grad=True)
    (x.cuda() * 3).cpu().sum().backward()
    assert x.grad is not None
    assert not x.grad.is_cuda
    assert x.grad.tolist() == [3.0, 3.0]


def test_gradients_accumulate(device: Device) -> None:
    x = rushlight.ones(2, 2, device="cuda", requires_grad=True)
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad is not None
    assert x.grad.is_cuda
    assert x.grad.tolist() == [[6.0] * 2] * 2


# ---- Errors ----

MIXED = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and"


def test_mixed_devices(device: Device) -> None:
    here, there = rushlight.ones(2), rushlight.ones(2, device="cuda")
    layer = nn.Linear(2, 1).to("cuda")
    for mix in (
        lambda: there + here,
        lambda: here + there,
        lambda: rushlight.where(there > 0, 0.0, here),
        lambda: here.mul_(there),
        lambda: layer(here),
        lambda: rushlight.cat([there, here]),
    ):
        with pytest.raises(RuntimeError, match=MIXED):
            mix()


def test_numbers_on_the_cpu_go_with_any_device(device: Device) -> None:
    number, there = rushlight.tensor(2.0), rushlight.ones(2, device="cuda")
    for result in (there * number, number * there, rushlight.where(there > 0, number, 0.0)):
        assert result.is_cuda
        assert result.tolist() == [2.0, 2.0]


def test_out_of_memory(device: Device) -> None:
    """Training goes on after an allocation that could not be had."""
    net = nn.Linear(4, 4).to("cuda")
    for size, readable in ((1 << 40, "4096.00 GiB"), (3 << 34, "192.00 GiB")):
        with pytest.raises(rushlight.OutOfMemoryError) as error:
            rushlight.zeros(size, device="cuda")
        words = f"CUDA out of memory. Tried to allocate {readable}. GPU 0 has a total capacity of"
        assert str(error.value).startswith(words)
    assert rushlight.cuda.OutOfMemoryError is rushlight.OutOfMemoryError
    assert issubclass(rushlight.OutOfMemoryError, RuntimeError)
    loss = net(rushlight.ones(2, 4, device="cuda")).sum()
    loss.backward()
    assert net.weight.grad.tolist() == [[2.0] * 4] * 4


def run(code: str) -> str:
    """What a new process prints, started where it finds this package of tests."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout


HIDE_CUPY = """
import sys
sys.modules["cupy"] = None
import rushlight
"""


def test_without_cupy() -> None:
    code = HIDE_CUPY + (
        "print(rushlight.cuda.is_available(), rushlight.cuda.device_count())\n"
        "rushlight.cuda.manual_seed_all(1)\n"
        "rushlight.cuda.empty_cache()\n"
        "for f in (lambda: rushlight.zeros(2, device='cuda'), rushlight.ones(2).cuda,\n"
        "          rushlight.cuda.current_device, rushlight.cuda.synchronize):\n"
        "    try: f()\n"
        "    except RuntimeError as error: print(error)\n"
    )
    first, *errors = run(code).splitlines()
    assert first == "False 0"
    assert len(errors) == 4
    for error in errors:
        assert error.startswith("Torch not compiled with CUDA enabled: device 'cuda' needs CuPy")
        assert "pip install 'rushlight[cuda12]'" in error


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("cudaErrorInsufficientDriver: too old", "Found no NVIDIA driver on your system."),
        ("cudaErrorNoDevice: none", "No CUDA GPUs are available"),
    ],
)
def test_without_a_device(problem: str, words: str) -> None:
    code = (
        "import sys, rushlight\n"
        "from tests import cupy_stand_in\n"
        "cupy = sys.modules['cupy'] = cupy_stand_in.make()\n"
        "def fail(): raise cupy.cuda.runtime.CUDARuntimeError(" + repr(problem) + ")\n"
        "cupy.cuda.runtime.getDeviceCount = fail\n"
        "print(rushlight.cuda.is_available())\n"
        "try: rushlight.ones(2).cuda()\n"
        "except RuntimeError as error: print(error)\n"
    )
    available, error = run(code).splitlines()
    assert available == "False"
    assert error.startswith(words)
    assert problem in error


def test_asking_does_not_import_cupy() -> None:
    code = (
        "import sys, rushlight\n"
        "rushlight.cuda.is_available()\n"
        "print('cupy' in sys.modules and not rushlight.cuda.is_available())\n"
    )
    assert run(code) == "False\n"


# ---- rushlight.cuda ----


def test_devices(device: Device) -> None:
    cuda = rushlight.cuda
    assert cuda.is_available()
    assert cuda.is_initialized()
    assert cuda.device_count() >= 1
    assert cuda.current_device() == 0
    assert cuda.get_device_name() == cuda.get_device_name("cuda:0") != ""
    assert cuda.get_device_capability(0) >= (5, 0)
    assert cuda.get_device_properties(0).total_memory == cuda.mem_get_info()[1]
    cuda.set_device(0)
    cuda.synchronize()
    with cuda.device(0):
        assert cuda.current_device() == 0
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        cuda.synchronize("cpu")
    with pytest.raises(AttributeError, match=r"rushlight has no torch\.cuda\.nvtx"):
        cuda.nvtx  # noqa: B018


def test_memory(device: Device) -> None:
    cuda = rushlight.cuda
    x = rushlight.zeros(1000, device="cuda")
    before = cuda.memory_allocated()
    cuda.reset_peak_memory_stats()
    y = rushlight.zeros(100_000, device="cuda")
    more = cuda.memory_allocated() - before
    assert 400_000 <= more < 402_000
    del y
    assert cuda.memory_allocated() == before
    assert cuda.max_memory_allocated() >= before + more
    assert cuda.memory_reserved() >= before + more
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == before
    cuda.empty_cache()
    assert cuda.memory_reserved() < before + more
    assert x.sum().item() == 0


def test_seed(device: Device) -> None:
    rushlight.cuda.manual_seed_all(5)
    x = rushlight.rand(3, device="cuda")
    rushlight.manual_seed(5)
    assert x.tolist() == rushlight.rand(3).tolist()


# ---- Training ----


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def conv_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


def train(make: Any, shape: tuple[int, ...], place: str, make_optimizer: Any) -> tuple[Any, ...]:
    """The losses of some steps, and the parameters after them."""
    rushlight.manual_seed(1)
    net = make().double().to(place)
    x = rushlight.randn(5, *shape, dtype=rushlight.float64).to(place)
    target = rushlight.tensor([0, 1, 2, 1, 0], device=place)
    optimizer = make_optimizer(net.parameters())
    criterion = nn.CrossEntropyLoss()
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = criterion(net(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    parameters = list(net.parameters())
    assert {p.device.type for p in parameters} == {place}
    assert {p.grad.device.type for p in parameters} == {place}
    return losses, [p.detach().cpu().numpy() for p in parameters]


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda p: optim.Adam(p, lr=0.01),
        lambda p: optim.AdamW(p, lr=0.01, amsgrad=True),
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: optim.RMSprop(p, lr=0.01),
    ],
    ids=["adam", "adamw", "sgd", "rmsprop"],
)
@pytest.mark.parametrize(("make", "shape"), [(mlp, (6,)), (conv_net, (1, 8, 8))])
def test_training(device: Device, make: Any, shape: Any, make_optimizer: Any) -> None:
    here = train(make, shape, "cpu", make_optimizer)
    there = train(make, shape, "cuda", make_optimizer)
    np.testing.assert_allclose(there[0], here[0], rtol=1e-10)
    for mine, theirs in zip(there[1], here[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-10)


COMPOSED = ["ASGD", "Adadelta", "Adafactor", "Adamax", "LBFGS", "NAdam", "RAdam", "Rprop"]


@pytest.mark.parametrize("name", COMPOSED)
def test_optimizers_made_of_ops(device: Device, name: str) -> None:
    """Each step here and there, on gradients that do not depend on the device."""
    results = []
    for place in ("cpu", "cuda"):
        p = rushlight.linspace(-1, 1, 6, dtype=rushlight.float64).reshape(2, 3).to(place)
        p.requires_grad_()
        optimizer = getattr(optim, name)([p])

        def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = ((p * p - 0.3) ** 2).sum()
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        results.append(p.detach().cpu().numpy())
    np.testing.assert_allclose(*results, rtol=1e-7)


def test_checkpoints(device: Device) -> None:
    """What is saved from the device goes back there, or where it is sent, and shares memory."""
    x = rushlight.arange(6.0, device="cuda").reshape(2, 3)
    file = io.BytesIO()
    rushlight.save({"x": x, "row": x[1], "turned": x.t(), "empty": x[:0]}, file)
    for where, place in ((None, "cuda:0"), ("cpu", "cpu"), (lambda s, _: s.cuda(0), "cuda:0")):
        file.seek(0)
        found = rushlight.load(file, where)
        assert {str(tensor.device) for tensor in found.values()} == {place}
        assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
        assert tuple(found["empty"].shape) == (0, 3)
        found["x"][1, 0] = 9
        assert found["row"].tolist() == [9, 4, 5] and found["turned"][0, 1].item() == 9


def test_kernels_are_launched(device: Device) -> None:
    """What the header has, the device computes: nothing falls back to the CPU."""
    if not device.exact:
        pytest.skip("CuPy does not record launches")
    cupy_stand_in.launches.clear()
    train(mlp, (6,), "cuda", lambda p: optim.Adam(p))
    launched = set(cupy_stand_in.launches)
    assert {"rush_adam", "rush_relu", "rush_relu_backward", "rush_mul", "rush_exp"} <= launched
