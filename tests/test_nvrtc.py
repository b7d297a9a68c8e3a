"""Every kernel of the CUDA backend compiles, for cards that the machine does not have.

NVRTC needs neither a GPU nor a driver: only its library, a wheel of the test extra.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import numpy as np
import pytest

from rushlight._kernels import POINTWISE
from rushlight.backend.cuda import elementwise, optim, pointwise

ARCHITECTURES = ("sm_80", "sm_90")
C_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int32": "int",
    "int64": "long long",
    "float32": "float",
    "float64": "double",
}
TYPES_OF_KIND = {
    "arithmetic": tuple(C_NAMES),
    "numeric": ("uint8", "int32", "int64", "float32", "float64"),
    "floating": ("float32", "float64"),
    "real": ("float32", "float64"),
    "compare": tuple(C_NAMES),
    "bitwise": ("bool", "uint8", "int32", "int64"),
    "integral": ("uint8", "int32", "int64"),
}


@pytest.fixture(scope="module")
def nvrtc() -> Any:
    """The library of the wheel, found through the files that it installed."""
    try:
        files = metadata.files("nvidia-cuda-nvrtc-cu12") or []
    except metadata.PackageNotFoundError:
        pytest.skip("nvidia-cuda-nvrtc-cu12 is not installed")
    names = ("libnvrtc.so.12", "nvrtc64_120_0.dll")
    library = next(file for file in files if file.name in names)
    return ctypes.CDLL(str(library.locate()))


def compile_for(nvrtc: Any, source: str, architecture: str) -> tuple[bytes, str]:
    """The binary of a program and what the compiler has to say."""

    def call(name: str, *arguments: Any) -> int:
        return int(getattr(nvrtc, name)(*arguments))

    program = ctypes.c_void_p()
    text, name = source.encode(), b"kernels.cu"
    assert call("nvrtcCreateProgram", ctypes.byref(program), text, name, 0, None, None) == 0
    options = [f"-arch={architecture}".encode(), b"-std=c++17"]
    failed = call(
        "nvrtcCompileProgram", program, len(options), (ctypes.c_char_p * len(options))(*options)
    )
    size = ctypes.c_size_t()
    call("nvrtcGetProgramLogSize", program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    call("nvrtcGetProgramLog", program, log)
    binary = ctypes.create_string_buffer(0)
    if not failed:
        call("nvrtcGetCUBINSize", program, ctypes.byref(size))
        binary = ctypes.create_string_buffer(size.value)
        call("nvrtcGetCUBIN", program, binary)
    call("nvrtcDestroyProgram", ctypes.byref(program))
    return binary.raw, log.value.decode()


def elementwise_kernel(
    name: str, inputs: list[tuple[str, str]], outputs: list[tuple[str, str]], operation: str
) -> str:
    """What CuPy makes of an ElementwiseKernel, for contiguous arrays."""
    arrays = [f"const {kind}* _raw_{x}" for kind, x in inputs]
    arrays += [f"{kind}* _raw_{x}" for kind, x in outputs]
    elements = [f"const {kind} &{x} = _raw_{x}[i];" for kind, x in inputs]
    elements += [f"{kind} &{x} = _raw_{x}[i];" for kind, x in outputs]
    return f"""
extern "C" __global__ void {name}({", ".join(arrays)}, int n) {{
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {{
    {" ".join(elements)}
    {operation};
  }}
}}
"""


def pointwise_kernels() -> Iterator[str]:
    for name, arity, kind in POINTWISE:
        for dtype in TYPES_OF_KIND[kind]:
            inputs = [(C_NAMES[dtype], x) for x in "xyzw"[:arity]]
            result = "bool" if kind == "compare" else C_NAMES[dtype]
            text = pointwise.operation(name, arity)
            yield elementwise_kernel(f"{name}_{dtype}", inputs, [(result, "out")], text)


def optimizer_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of every variant of every optimizer, as the steps themselves ask for them."""
    asked: set[tuple[str, ...]] = set()

    def kernel(*text: str) -> Any:
        asked.add(text)
        return lambda *args: None

    monkeypatch.setattr(optim, "kernel", kernel)
    no, yes = False, True
    for dtype in ("float32", "float64"):
        x, t = [np.ones(3, dtype)], [np.array(1.0)]
        for buffers, first in ((None, no), (x, no), (x, yes)):
            optim.sgd_step(x, x, buffers, 0.1, 0.9, 0.0, 0.1, no, no, first)
        for amsgrad in (no, yes):
            optim.adam_step(x, x, x, x, x, t, 0.1, 0.9, 0.99, 1e-8, 0.1, yes, amsgrad, no)
        for mean, buffer in itertools.product((None, x), repeat=2):
            optim.rmsprop_step(x, x, x, mean, buffer, t, 0.1, 0.9, 1e-8, 0.1, 0.9, no)
        optim.adagrad_step(x, x, x, t, 0.1, 0.1, 1e-8, 0.1, no)
    for i, (inputs, outputs, operation, name, _) in enumerate(sorted(asked)):
        lists = [[typed(p) for p in x.split(", ")] for x in (inputs, outputs)]
        yield elementwise_kernel(f"{name}_{i}", *lists, operation)


def typed(parameter: str) -> tuple[str, str]:
    dtype, name = parameter.split()
    return C_NAMES[dtype], name


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_pointwise_kernel_compiles(nvrtc: Any, architecture: str) -> None:
    kernels = list(pointwise_kernels())
    assert len(kernels) > 250
    source = elementwise.program("scalar.h") + "".join(kernels)
    binary, log = compile_for(nvrtc, source, architecture)
    assert log == ""
    assert binary[:4] == b"\x7fELF"
    assert all(f"{name}_".encode() in binary for name, _, _ in POINTWISE)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_optimizer_step_compiles(
    nvrtc: Any, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = list(optimizer_kernels(monkeypatch))
    assert len(kernels) == 20
    source = elementwise.program("optim.h") + "".join(kernels)
    binary, log = compile_for(nvrtc, source, architecture)
    assert log == ""
    assert binary[:4] == b"\x7fELF"


def test_errors_are_seen(nvrtc: Any) -> None:
    """The checks above would fail if a formula did not compile."""
    broken = elementwise_kernel("broken", [("float", "x")], [("float", "out")], "out = y")
    binary, log = compile_for(nvrtc, broken, "sm_90")
    assert not binary
    assert 'identifier "y" is undefined' in log
