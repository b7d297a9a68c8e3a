"""Modules by family, in files named as PyTorch's."""

# ruff: noqa: F403 - the lists of names are those of the families

from .activation import *
from .container import *
from .conv import *
from .dropout import *
from .flatten import *
from .linear import *
from .loss import *
from .module import Module as Module
from .parameters import *
from .pooling import *
from .sparse import *
