"""Schedules of learning rates and averages of models; every rate equal to PyTorch's."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import rushlight
from rushlight import nn
from rushlight.optim import lr_scheduler, swa_utils

# ------------------------------------------------------------------------------------- schedules

SCHEDULES = [
    ("LambdaLR", {"lr_lambda": lambda t: 0.95**t}),
    ("MultiplicativeLR", {"lr_lambda": lambda t: 0.95}),
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.5}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 4}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.8, "total_iters": 7}),
    ("LinearLR", {}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 6, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 6, "eta_min": 0.001}),
    ("CosineAnnealingLR", {"T_max": 20}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.001}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3}),
    ("CyclicLR", {"base_lr": [0.01, 0.02], "max_lr": 0.1, "step_size_up": 3, "step_size_down": 5,
                  "mode": "triangular2", "base_momentum": [0.1, 0.2]}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "mode": "exp_range",
                  "gamma": 0.9, "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 2,
                  "scale_fn": lambda x: 0.5 ** x}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 20}),
    ("OneCycleLR", {"max_lr": [0.3, 0.1], "epochs": 4, "steps_per_epoch": 6, "pct_start": 0.25,
                    "anneal_strategy": "linear", "three_phase": True}),
    ("swa_utils.SWALR", {"swa_lr": 0.01}),
    ("swa_utils.SWALR", {"swa_lr": [0.01, 0.2], "anneal_epochs": 5, "anneal_strategy": "linear"}),
    ("swa_utils.SWALR", {"swa_lr": 0.01, "anneal_epochs": 0}),
]  # fmt: skip


def two_groups(lib):
    p, q = (lib.ones(2, requires_grad=True) for _ in range(2))
    return lib.optim.SGD([{"params": [p]}, {"params": [q], "lr": 0.02}], lr=0.05, momentum=0.5)


def rates(optimizer):
    return [float(group["lr"]) for group in optimizer.param_groups]


def make(lib, name, optimizer, kwargs):
    module = lib.optim if "." in name else lib.optim.lr_scheduler
    for part in name.split("."):
        module = getattr(module, part)
    return module(optimizer, **kwargs)


@pytest.mark.parametrize(("name", "kwargs"), SCHEDULES)
def test_schedule(torch, name, kwargs):
    def run(lib):
        optimizer = two_groups(lib)
        schedule = make(lib, name, optimizer, kwargs)
        history, momenta = [rates(optimizer)], []
        for i in range(18):
            optimizer.step()
            schedule.step()
            history.append(rates(optimizer))
            momenta.append([group["momentum"] for group in optimizer.param_groups])
            if i == 9:  # as a checkpoint would do it
                state = copy.deepcopy(schedule.state_dict())
                schedule = make(lib, name, optimizer, kwargs)
                schedule.load_state_dict(state)
                for group, rate in zip(optimizer.param_groups, history[-1], strict=True):
                    group["lr"] = rate
        assert schedule.get_last_lr() == history[-1]
        return np.array(history), np.array(momenta), schedule.state_dict()

    (found, momenta, state), (expected, momenta2, state2) = run(rushlight), run(torch)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(momenta, momenta2, rtol=1e-12)
    assert set(state) == set(state2)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"factor": 0.5, "patience": 2},
        {"mode": "max", "factor": 0.3, "patience": 1, "threshold": 0.05, "cooldown": 2},
        {"threshold_mode": "abs", "patience": 0, "min_lr": [0.01, 0.005]},
    ],
)
def test_plateau(torch, kwargs):
    def run(lib):
        optimizer = two_groups(lib)
        schedule = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **kwargs)
        history = []
        for metric in np.abs(np.random.default_rng(5).standard_normal(18)) + 1:
            schedule.step(metric)
            history.append(rates(optimizer))
        return history

    np.testing.assert_allclose(run(rushlight), run(torch), rtol=1e-12)


def test_schedule_resumes():
    optimizer = two_groups(rushlight)
    schedule = lr_scheduler.StepLR(optimizer, 2, 0.5)
    for _ in range(5):
        optimizer.step()
        schedule.step()
    twin = lr_scheduler.StepLR(two_groups(rushlight), 2, 0.5)
    twin.load_state_dict(schedule.state_dict())
    assert twin.last_epoch == 5 and twin.get_last_lr() == schedule.get_last_lr()
    again = lr_scheduler.StepLR(optimizer, 2, 0.5, last_epoch=5)
    assert again.base_lrs == [0.05, 0.02]
    with pytest.raises(KeyError, match="param 'initial_lr' is not specified"):
        lr_scheduler.StepLR(two_groups(rushlight), 2, last_epoch=3)


def test_schedule_misuse():
    with pytest.raises(TypeError, match="int is not an Optimizer"):
        lr_scheduler.StepLR(3, 2)
    schedule = lr_scheduler.StepLR(two_groups(rushlight), 2)
    with pytest.warns(UserWarning, match=r"before `optimizer\.step\(\)`"):
        schedule.step()
    with pytest.warns(UserWarning, match=r"please use `get_last_lr\(\)`"):
        schedule.get_lr()
    with pytest.raises(ValueError, match=r"Factor should be < 1\.0\."):
        lr_scheduler.ReduceLROnPlateau(two_groups(rushlight), factor=1.0)
    with pytest.raises(ValueError, match="Expected 2 lr_lambdas, but got 1"):
        lr_scheduler.LambdaLR(two_groups(rushlight), [math.exp])
    with pytest.raises(ValueError, match="base_lr must have the same length as optimizer"):
        lr_scheduler.CyclicLR(two_groups(rushlight), [0.1], 0.2)
    with pytest.raises(ValueError, match="You must define either total_steps OR"):
        lr_scheduler.OneCycleLR(two_groups(rushlight), 0.1)
    with pytest.raises(ValueError, match="Expected positive integer T_0, but got 0"):
        lr_scheduler.CosineAnnealingWarmRestarts(two_groups(rushlight), 0)
    one = lr_scheduler.StepLR(two_groups(rushlight), 2)
    with pytest.raises(ValueError, match="expects all schedulers to belong to the same optimizer"):
        lr_scheduler.ChainedScheduler([one, lr_scheduler.StepLR(two_groups(rushlight), 2)])
    with pytest.raises(ValueError, match="number of milestone points, but got"):
        lr_scheduler.SequentialLR(one.optimizer, [one], [3])


@pytest.mark.parametrize("sequential", [True, False])
def test_combined(torch, sequential):
    """Schedules of schedules, and what is left of them in their states."""

    def run(lib):
        module, optimizer = lib.optim.lr_scheduler, two_groups(lib)

        def combine():
            parts = [
                module.LinearLR(optimizer, 0.1, total_iters=4),
                module.ExponentialLR(optimizer, 0.9),
                module.StepLR(optimizer, 2, 0.5),
            ]
            if sequential:
                return module.SequentialLR(optimizer, parts, [5, 11])
            return module.ChainedScheduler(parts)

        schedule, history = combine(), []
        for i in range(18):
            optimizer.step()
            schedule.step()
            history.append(rates(optimizer))
            if i == 7:
                state, group_rates = copy.deepcopy(schedule.state_dict()), rates(optimizer)
                schedule = combine()
                schedule.load_state_dict(state)
                for group, rate in zip(optimizer.param_groups, group_rates, strict=True):
                    group["lr"] = rate
        return np.array(history), schedule.state_dict()

    (found, state), (expected, state2) = run(rushlight), run(torch)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert set(state) == set(state2)
    assert [set(s) for s in state["_schedulers"]] == [set(s) for s in state2["_schedulers"]]


def test_restarts_at_any_epoch(torch):
    def run(lib):
        optimizer, history = two_groups(lib), []
        schedule = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2, 2)
        optimizer.step()
        for epoch in (0.5, 1.75, 2.0, 5.5, 14.25, 3):
            schedule.step(epoch)
            history.append(rates(optimizer))
        return history

    np.testing.assert_allclose(run(rushlight), run(torch), rtol=1e-12)


# -------------------------------------------------------------------------------------- averages


def averaged(lib, **kwargs):
    """A linear model whose parameters are i + 1 at step i, and its average after four."""
    module = lib.nn.Linear(2, 3)
    average = lib.optim.swa_utils.AveragedModel(module, **kwargs)
    for i in range(4):
        with lib.no_grad():
            for p in module.parameters():
                p.fill_(i**2 + 1)
        average.update_parameters(module)
    assert average(lib.ones(1, 2)).shape == (1, 3)
    assert int(average.n_averaged) == 4
    return average.state_dict()


@pytest.mark.parametrize(
    "make_kwargs",
    [
        lambda utils: {},
        lambda utils: {"avg_fn": utils.get_swa_avg_fn(), "use_buffers": True},
        lambda utils: {"avg_fn": utils.get_ema_avg_fn(0.8)},
        lambda utils: {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.8)},
        lambda utils: {"multi_avg_fn": utils.get_swa_multi_avg_fn()},
    ],
)
def test_averaged_model(torch, make_kwargs):
    found, expected = (
        averaged(lib, **make_kwargs(lib.optim.swa_utils)) for lib in (rushlight, torch)
    )
    assert list(found) == list(expected)
    for key in found:
        np.testing.assert_allclose(found[key].numpy(), expected[key].numpy(), rtol=1e-6)


def test_averages_misused():
    with pytest.raises(ValueError, match=r"Invalid decay value 1\.5 provided"):
        swa_utils.get_ema_avg_fn(1.5)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        swa_utils.AveragedModel(nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max)


def test_update_bn():
    class Norm(nn.Module):
        momentum = 0.1

        def reset_running_stats(self):
            self.seen = []

        def forward(self, x):
            self.seen.append((x.sum().item(), self.momentum, self.training))
            return x

    model = nn.Sequential(Norm()).eval()
    swa_utils.update_bn([(rushlight.ones(2), 0), rushlight.ones(3)], model)
    assert model[0].seen == [(2.0, None, True), (3.0, None, True)]
    assert model[0].momentum == 0.1 and not model.training
    swa_utils.update_bn([1], nn.Linear(1, 1))
