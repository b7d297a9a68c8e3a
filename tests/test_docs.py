"""What the documentation says is true: examples run, commands exist, links lead somewhere.

In a Markdown page a block marked ``python`` is run, the blocks of one page in one namespace; a
fragment that cannot stand alone is marked ``py``.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import rushlight

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def public_modules() -> list[str]:
    """Every module without an underscore that can be imported here.

    Not what Python runs at the start of `rushlight run`, nor what needs CuPy where there is none.
    """
    left_out = "rushlight.cli.startup", *(() if find_spec("cupy") else ("rushlight.backend.cuda",))
    found = pkgutil.walk_packages(rushlight.__path__, "rushlight.")
    names = ["rushlight", *(module.name for module in found)]
    public = (name for name in names if not any(p.startswith("_") for p in name.split(".")))
    return [name for name in public if not name.startswith(left_out)]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("name", public_modules())
def test_docstring_examples(name: str) -> None:
    module: ModuleType = importlib.import_module(name)
    rushlight.manual_seed(0)
    names = {"rushlight": rushlight, "torch": rushlight, "nn": rushlight.nn}
    failed, _ = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert failed == 0


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_python_blocks(page: Path) -> None:
    namespace = {"__name__": "__main__"}
    for block in PYTHON_BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, relative(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [t for t in local if not (page.parent / t).exists()] == []


@pytest.mark.parametrize("command", ["rushlight demo", "python -m pytest"])
def test_readme_holds_the_command_that_ci_runs(command: str) -> None:
    """`.ci/run` takes the command from README.md by this rule and runs it as it stands."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"readme_command '{command}'" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert len(re.findall(rf"^pip install .*&& {command}$", readme, re.MULTILINE)) == 1


def test_version_stands_in_one_place() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in pyproject
    assert 'input = "python/rushlight/_version.py"' in pyproject
