"""torch.hub, which loads programs from the network: refused by name."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["download_url_to_file", "help", "list", "load", "load_state_dict_from_url"]


def _refused(name: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"torch.hub.{name} is not supported")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raise NotImplementedError: nothing is loaded from the network here."
    return refuse


download_url_to_file = _refused("download_url_to_file")
help = _refused("help")
list = _refused("list")
load = _refused("load")
load_state_dict_from_url = _refused("load_state_dict_from_url")
