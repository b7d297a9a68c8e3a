"""Schedules of learning rates.

A scheduler's ``step()`` is called after the optimizer's, once an epoch or once a batch. In the
formulas t counts its steps from 0 and ``base`` is the learning rate that a group started with.
"""

from ._base import LRScheduler as LRScheduler
from ._combined import ChainedScheduler as ChainedScheduler
from ._combined import SequentialLR as SequentialLR
from ._cyclic import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from ._cyclic import CyclicLR as CyclicLR
from ._cyclic import OneCycleLR as OneCycleLR
from ._plateau import ReduceLROnPlateau as ReduceLROnPlateau
from ._schedules import ConstantLR as ConstantLR
from ._schedules import CosineAnnealingLR as CosineAnnealingLR
from ._schedules import ExponentialLR as ExponentialLR
from ._schedules import LambdaLR as LambdaLR
from ._schedules import LinearLR as LinearLR
from ._schedules import MultiplicativeLR as MultiplicativeLR
from ._schedules import MultiStepLR as MultiStepLR
from ._schedules import PolynomialLR as PolynomialLR
from ._schedules import StepLR as StepLR

_LRScheduler = LRScheduler  # its name before PyTorch 2.0
