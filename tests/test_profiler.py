"""The profiler: what it counts, in whose names, and that it leaves no trace of itself."""

from __future__ import annotations

import gzip
import inspect
import json
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import nn, profiler
from rushlight.ops._registry import op
from rushlight.profiler import ProfilerAction, profile, record_function, schedule
from rushlight.tensor import Tensor


def counts(finished: Any) -> Counter[str]:
    return Counter({row.key: row.count for row in finished.key_averages()})


def train(module: Any) -> None:
    w = module.ones(3, 2, requires_grad=True)
    b = module.ones(2, requires_grad=True)
    y = module.relu(module.ones(4, 3) @ w + b) * 2
    (y - module.exp(y)).sum().backward()


def test_operations_and_nodes_have_the_names_of_pytorch(torch: Any) -> None:
    with profile() as mine:
        train(rushlight)
    with torch.profiler.profile() as theirs:
        train(torch)
    expected, found = counts(theirs), counts(mine)
    shared = [name for name in expected if name in found]
    for name in ("aten::mm", "aten::relu", "aten::exp", "MmBackward0", "SubBackward0"):
        assert name in shared
    for name in shared:
        if name.endswith("Backward0") or name == "aten::relu":
            assert found[name] == expected[name], name
    # A node's line is its own here, and not also the engine's.
    assert not any("evaluate_function" in name for name in found)


def test_kernels_of_a_backward_pass_are_below_their_node() -> None:
    x = rushlight.ones(3, requires_grad=True)
    y = (x * 3).sum()
    with profile() as p:
        y.backward()
    (kernel,) = [e for e in p.events() if e.name == "aten::mul"]
    assert kernel.kind == "kernel" and kernel.parent.name == "MulBackward0"
    assert counts(p)["torch::autograd::AccumulateGrad"] == 1


def test_times_add_up() -> None:
    with profile() as p, record_function("all"):
        for _ in range(3):
            train(rushlight)
    (whole,) = [e for e in p.events() if e.name == "all"]
    rows = p.key_averages()
    assert whole.cpu_time_total == pytest.approx(rows.self_cpu_time_total)
    assert rows.total_average().self_cpu_time_total == pytest.approx(whole.cpu_time_total)
    for event in p.events():
        assert event.self_cpu_time_total >= 0
        if event.parent is not None:
            assert event.parent.start <= event.start <= event.end <= event.parent.end


def test_memory_is_counted_in_bytes() -> None:
    x = rushlight.ones(1000)
    with profile(profile_memory=True) as p:
        y = x * 2
        with record_function("temporary"):
            x * 3
    assert y.nbytes == 4000
    rows = {row.key: row for row in p.key_averages()}
    assert 4000 <= rows["aten::mul"].self_cpu_memory_usage // 2 <= 4200
    assert rows["temporary"].cpu_memory_usage == 0
    assert "CPU Mem" in p.key_averages().table()
    with profile() as p:
        x * 2
    assert "CPU Mem" not in p.key_averages().table()


def test_shapes_tell_calls_apart() -> None:
    with profile(record_shapes=True) as p:
        for n in (2, 2, 5):
            rushlight.ones(n, 3).exp()
    rows = [r for r in p.key_averages(group_by_input_shape=True) if r.key == "aten::exp"]
    assert {r.input_shapes: r.count for r in rows} == {"[[2, 3]]": 2, "[[5, 3]]": 1}
    assert "Input Shapes" in p.key_averages(group_by_input_shape=True).table()


def test_nothing_is_left_afterwards() -> None:
    train(rushlight)  # so that what it uses is built
    modules = [m for n, m in sys.modules.items() if n.split(".")[0] == "rushlight"]
    before = [dict(vars(place)) for place in (*modules, Tensor)]
    with profile():
        train(rushlight)
    for place, contents in zip((*modules, Tensor), before, strict=True):
        assert {k: v for k, v in vars(place).items() if k in contents} == contents, place
        assert not [k for k, v in vars(place).items() if inspect.isfunction(v)
                    and hasattr(v, "_measured") and k != "_find"]  # fmt: skip


def test_an_op_whose_first_use_is_measured() -> None:
    @op(input=lambda K, g: g, forward=lambda K, input: K.copy(input), inplace=True)
    def never_used_before(input: Tensor) -> Tensor:
        """A copy."""

    try:
        x = rushlight.ones(2, requires_grad=True)
        with profile() as p:
            for _ in range(2):
                x.never_used_before().sum().backward()
                rushlight.ops.never_used_before(x)
            rushlight.ones(2).never_used_before_()
        found = counts(p)
        assert found["aten::never_used_before"] == 4
        assert found["aten::never_used_before_"] == 1
        assert found["NeverUsedBeforeBackward0"] == 2
        assert not hasattr(Tensor.never_used_before, "_measured")
    finally:
        from rushlight.ops import _registry

        del _registry.registry["never_used_before"]
        vars(rushlight.ops).pop("never_used_before", None)
        del Tensor.never_used_before, Tensor.never_used_before_


def test_errors_pass_and_end_their_events() -> None:
    with profile() as p, pytest.raises(RuntimeError), record_function("failing"):
        rushlight.ones(2, 3) @ rushlight.ones(2, 3)
    names = [e.name for e in p.events()]
    assert "aten::matmul" in names and "failing" in names
    with profile() as p:
        rushlight.ones(2).exp()
    assert next(e for e in p.events() if e.name == "aten::exp").parent is None


def test_threads_have_stacks_of_their_own() -> None:
    def work() -> None:
        with record_function("worker"):
            rushlight.ones(3).exp()

    with profile() as p, record_function("main"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    (worker,) = [e for e in p.events() if e.name == "worker"]
    (main,) = [e for e in p.events() if e.name == "main"]
    assert worker.parent is None and worker.thread != main.thread


def test_marks() -> None:
    @record_function("decorated")
    def double(x: Any) -> Any:
        return x * 2

    double(rushlight.ones(1))  # nothing runs: nothing happens
    with profile() as p:
        assert double(rushlight.ones(1)).tolist() == [2.0]
    assert counts(p)["decorated"] == 1
    assert [r.key for r in p.key_averages() if r.is_user_annotation] == ["decorated"]


def test_recursion_counts_its_time_once() -> None:
    with profile() as p, record_function("a"), record_function("a"):
        pass
    (row,) = p.key_averages()
    assert row.count == 2
    assert row.cpu_time_total == pytest.approx(row.self_cpu_time_total)


# ---- Tables and traces ----


def test_table() -> None:
    with profile() as p:
        train(rushlight)
    rows = p.key_averages()
    text = rows.table(sort_by="count", row_limit=3, header="Three rows")
    lines = text.splitlines()
    assert lines[1] == "Three rows" and "# of Calls" in lines[3]
    body = lines[5:-2]
    assert len(body) == 3
    found = [int(line.split()[-1]) for line in body]
    assert found == sorted(found, reverse=True)
    assert lines[-1].startswith("Self CPU time total: ")
    assert len(rows.table(row_limit=-1).splitlines()) == len(rows) + 5
    assert all("ms" in line for line in rows.table(time_unit="ms").splitlines()[3:-2])
    assert str(rows) == rows.table()
    with pytest.raises(AttributeError, match="sort_by"):
        rows.table(sort_by="beauty")
    with pytest.raises(NotImplementedError, match="cuda_time"):
        rows.table(sort_by="cuda_time_total")


def test_trace(tmp_path: Path) -> None:
    with profile(record_shapes=True) as p, record_function("mine"):
        rushlight.ones(2, 3).exp()
    p.add_metadata("note", "text")
    p.add_metadata_json("numbers", "[1, 2]")
    p.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["note"] == "text" and trace["numbers"] == [1, 2]
    events = {e["name"]: e for e in trace["traceEvents"] if e["ph"] == "X"}
    assert events["mine"]["cat"] == "user_annotation" and events["aten::exp"]["cat"] == "cpu_op"
    assert events["aten::exp"]["args"]["Input Dims"] == [[2, 3]]
    outer, inner = events["mine"], events["aten::exp"]
    assert outer["ts"] <= inner["ts"] and inner["dur"] <= outer["dur"]
    p.export_chrome_trace(str(tmp_path / "trace.json.gz"))
    with gzip.open(tmp_path / "trace.json.gz", "rt") as file:
        assert json.load(file) == trace


# ---- Schedules ----

SCHEDULES = [
    {"wait": 1, "warmup": 1, "active": 2},
    {"wait": 0, "warmup": 1, "active": 1, "repeat": 2},
    {"wait": 2, "warmup": 1, "active": 3, "repeat": 1, "skip_first": 3},
    {"wait": 2, "warmup": 1, "active": 1, "skip_first": 1, "skip_first_wait": 1},
]


@pytest.mark.parametrize("options", SCHEDULES, ids=str)
def test_schedule(torch: Any, options: Any) -> None:
    mine, theirs = schedule(**options), torch.profiler.schedule(**options)
    assert [mine(i).name for i in range(20)] == [theirs(i).name for i in range(20)]


def test_steps_and_the_handler(tmp_path: Path) -> None:
    ready: list[tuple[int, Counter[str]]] = []
    with profile(
        schedule=schedule(wait=1, warmup=1, active=2, repeat=2),
        on_trace_ready=lambda p: ready.append((p.step_num, counts(p))),
    ) as p:
        for _ in range(10):
            rushlight.ones(2).exp()
            p.step()
    assert [step for step, _ in ready] == [4, 8]
    assert [found["aten::exp"] for _, found in ready] == [2, 2]
    assert [found["ProfilerStep#3"] for _, found in ready] == [1, 0]
    assert p.current_action is ProfilerAction.NONE

    handler = profiler.tensorboard_trace_handler(str(tmp_path / "traces"), "me", use_gzip=True)
    with profile(on_trace_ready=handler):
        rushlight.ones(2).exp()
    (file,) = (tmp_path / "traces").iterdir()
    assert file.name.startswith("me.") and file.name.endswith(".pt.trace.json.gz")


def test_stopping_in_the_midst_of_a_cycle_hands_over() -> None:
    ready = []
    with profile(schedule=schedule(wait=0, warmup=1, active=9), on_trace_ready=ready.append) as p:
        for _ in range(3):
            p.step()
            rushlight.ones(2).exp()
    assert ready == [p] and counts(p)["aten::exp"] == 3


# ---- The older interface, misuse ----


def test_the_older_interface(tmp_path: Path) -> None:
    with rushlight.autograd.profiler.profile(profile_memory=True) as p:
        train(rushlight)
    assert "MmBackward0" in p.table() == str(p)
    assert p.self_cpu_time_total == pytest.approx(p.total_average().self_cpu_time_total)
    assert [e.name for e in p.function_events].count("aten::relu") == 1
    p.export_chrome_trace(str(tmp_path / "trace.json"))
    assert p.key_averages()[0].count >= 1
    with rushlight.autograd.profiler.profile(enabled=False) as p:
        train(rushlight)
    with pytest.raises(RuntimeError, match="didn't finish"):
        p.table()


def test_misuse() -> None:
    with profile(), pytest.raises(RuntimeError, match="another one is running"):
        profile().start()
    for option in ("with_stack", "with_flops", "with_modules"):
        with pytest.raises(NotImplementedError, match=option):
            profile(**{option: True})
    with pytest.raises(NotImplementedError, match="emit_nvtx"):
        rushlight.autograd.profiler.emit_nvtx()
    if not rushlight.cuda.is_available():
        with pytest.warns(UserWarning, match="CUDA is not available"):
            profile(activities=[profiler.ProfilerActivity.CUDA])
    with pytest.raises(NotImplementedError, match="XPU"):
        profile(activities=[profiler.ProfilerActivity.XPU])
    with pytest.raises(AssertionError, match="Invalid profiler schedule"):
        schedule(wait=0, warmup=1, active=0)
    with pytest.warns(UserWarning, match="warmup"):
        schedule(wait=0, warmup=0, active=1)


def test_results_are_the_same_under_a_profiler() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = rushlight.rand(5, 3)
    net(x).sum().backward()
    expected = [p.grad.numpy().copy() for p in net.parameters()]
    net.zero_grad()
    with profile():
        net(x).sum().backward()
    for p, e in zip(net.parameters(), expected, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), e)
