"""What scripts probe and switch: answers in PyTorch's types, and refusals by name."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import nn


def test_there_is_no_other_accelerator() -> None:
    assert not rushlight.mps.is_available()
    assert not rushlight.xpu.is_available() and rushlight.xpu.device_count() == 0
    assert not rushlight.backends.mps.is_available() and not rushlight.backends.mps.is_built()
    assert not rushlight.distributed.is_available() and not rushlight.distributed.is_initialized()
    if not rushlight.cuda.is_available():
        assert rushlight.accelerator.current_accelerator() is None
        assert not rushlight.accelerator.is_available()
        assert rushlight.accelerator.device_count() == 0
        assert rushlight.version.cuda is None
        assert not rushlight.cuda.is_bf16_supported()
    assert rushlight.cpu.is_available() and rushlight.cpu.device_count() == 1
    assert rushlight.ones(1).cpu().item() == 1
    assert rushlight.version.hip is None and rushlight.version.__version__ == rushlight.__version__


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rushlight.hub.load("a/b", "c"), "torch.hub.load"),
        (lambda: rushlight.hub.load_state_dict_from_url("x"), "torch.hub.load_state_dict_from_url"),
        (lambda: rushlight.jit.load("x"), "torch.jit.load"),
        (lambda: rushlight.jit.save(1, "x"), "torch.jit.save"),
        (lambda: rushlight.distributed.init_process_group("gloo"), "torch.distributed"),
    ],
)
def test_refused_by_name(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(NotImplementedError, match=words):
        call()


@pytest.mark.parametrize("name", ["mps.synchronize", "xpu.empty_cache", "distributed.all_reduce"])
def test_missing_by_name(name: str) -> None:
    module, attribute = name.split(".")
    with pytest.raises(AttributeError, match=rf"rushlight has no torch\.{module}\.{attribute}"):
        getattr(getattr(rushlight, module), attribute)


def test_switches_are_kept() -> None:
    cudnn = importlib.import_module("rushlight.backends.cudnn")
    assert rushlight.backends.cudnn is cudnn
    with cudnn.flags(enabled=False, benchmark=True):
        assert not cudnn.enabled and cudnn.benchmark
    assert cudnn.enabled and not cudnn.benchmark
    with (
        pytest.raises(TypeError, match="unexpected keyword argument 'speed'"),
        cudnn.flags(speed=1),
    ):
        pass
    assert not rushlight.backends.cuda.matmul.allow_tf32
    with rushlight.backends.cuda.sdp_kernel(enable_flash=False):
        assert rushlight.backends.cuda.math_sdp_enabled()
    for name in ("mkl", "mkldnn", "openmp", "cudnn", "opt_einsum"):
        assert getattr(rushlight.backends, name).is_available() is False
    assert rushlight.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2", "AVX512", "NEON")


def test_settings() -> None:
    assert rushlight.get_float32_matmul_precision() == "highest"
    rushlight.set_float32_matmul_precision("high")
    assert rushlight.get_float32_matmul_precision() == "high"
    rushlight.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError, match="matmul precision must be one of"):
        rushlight.set_float32_matmul_precision("low")
    for arguments, kept in (
        ({"mode": True}, (True, False, 2)),
        ({"mode": True, "warn_only": True}, (True, True, 1)),
        ({"mode": False}, (False, False, 0)),
    ):
        rushlight.use_deterministic_algorithms(**arguments)
        assert kept == (
            rushlight.are_deterministic_algorithms_enabled(),
            rushlight.is_deterministic_algorithms_warn_only_enabled(),
            rushlight.get_deterministic_debug_mode(),
        )
    rushlight.set_deterministic_debug_mode("default")
    with pytest.raises(RuntimeError, match="invalid value of debug_mode"):
        rushlight.set_deterministic_debug_mode("loud")
    rushlight.set_num_interop_threads(2)
    assert rushlight.get_num_interop_threads() == 2
    with pytest.raises(RuntimeError, match="Expected n > 0"):
        rushlight.set_num_interop_threads(0)


def test_compile_and_script_return_what_they_are_given() -> None:
    model = nn.Linear(2, 1)
    assert rushlight.compile(model, mode="max-autotune") is model

    @rushlight.compile(fullgraph=True)
    def double(x: Any) -> Any:
        return x * 2

    assert double(rushlight.ones(1)).item() == 2
    with pytest.raises(RuntimeError, match="expected a callable, got int"):
        rushlight.compile(3)
    assert rushlight.compiler.disable(double) is double
    assert not rushlight.compiler.is_compiling()
    jit = rushlight.jit
    for call in (lambda: jit.script(model), lambda: jit.trace(model, rushlight.ones(1, 2))):
        with pytest.warns(UserWarning, match="there is no TorchScript here"):
            assert call() is model
    assert jit.freeze(jit.export(model)) is model and not jit.is_scripting()
    assert jit.ignore(double) is double and jit.ignore(drop=True)(double) is double


def test_importing_rushlight_imports_none_of_it() -> None:
    code = (
        "import sys, rushlight; print([m for m in sys.modules if m.startswith('rushlight.') and "
        "m.split('.')[1] in ('amp', 'backends', 'jit', 'serialization', 'settings', 'hub')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# ---- Processes ----


def squared(i: int, folder: str) -> None:
    with open(os.path.join(folder, str(i)), "w") as file:
        file.write(str(i * i))


def failing(i: int) -> None:
    if i == 1:
        raise KeyError("one")


def leaving(i: int) -> None:
    os._exit(3)


def test_spawn(tmp_path: Any) -> None:
    mp = rushlight.multiprocessing
    mp.start_processes(squared, (str(tmp_path),), nprocs=3, start_method="fork")
    assert [(tmp_path / str(i)).read_text() for i in range(3)] == ["0", "1", "4"]
    running = mp.spawn(squared, (str(tmp_path),), nprocs=1, join=False)
    assert len(running.pids()) == 1
    while not running.join(timeout=10):
        pass
    with pytest.raises(
        mp.ProcessRaisedException, match=r"(?s)Process 1 terminated.*KeyError: 'one'"
    ):
        mp.start_processes(failing, nprocs=2, start_method="fork")
    with pytest.raises(mp.ProcessExitedException, match="terminated with exit code 3") as caught:
        mp.start_processes(leaving, nprocs=1, start_method="fork")
    assert caught.value.exit_code == 3 and caught.value.error_index == 0
    assert mp.get_context("spawn") and mp.Queue and mp.get_sharing_strategy() == "file_descriptor"


# ---- TensorBoard ----


def test_summary_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class Writer:
        def __init__(self, log_dir: Any = None, comment: str = "") -> None:
            self.logdir = log_dir

        def add_scalar(self, *args: Any, **kwargs: Any) -> None:
            seen.append((args, kwargs))

        def close(self) -> None:
            seen.append("closed")

    library = types.ModuleType("tensorboardX")
    library.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorboardX", library)
    writers = importlib.import_module("rushlight.utils.tensorboard")
    with writers.SummaryWriter("here", comment="x") as writer:
        assert writer.logdir == "here"
        writer.add_scalar("loss", rushlight.tensor(2.0, requires_grad=True), global_step=3)
        writer.add_scalar("many", {"a": [rushlight.ones(1)]})
    assert isinstance(seen[0][0][1], np.ndarray) and seen[0][1] == {"global_step": 3}
    assert isinstance(seen[1][0][1]["a"][0], np.ndarray) and seen[-1] == "closed"
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        writers.SummaryWriter()
