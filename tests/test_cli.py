"""The command line, and the pictures it draws."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import rushlight
from rushlight import cli
from rushlight.utils.viz import make_dot

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def rush(*arguments: Any, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rushlight", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **env},
        timeout=300,
    )


def run_script(tmp_path: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(text)
    return rush("run", script, *arguments)


# ---- run: the alias ----


def test_torch_is_rushlight(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        "import torch\n"
        "import torch.nn as nn\n"
        "import torch.nn.functional as F\n"
        "from torch.utils.data import DataLoader\n"
        "from torch import optim\n"
        "import torch.utils.data as data\n"
        "import rushlight, rushlight.nn.functional\n"
        "import sys\n"
        "print(torch is rushlight, nn is rushlight.nn, F is rushlight.nn.functional,\n"
        "      DataLoader is rushlight.utils.data.DataLoader, optim is rushlight.optim,\n"
        "      data is sys.modules['rushlight.utils.data'], torch.nn.functional is F)\n"
        "print(torch.__name__, torch.__spec__.name, F.__spec__.name)\n"
        "print(torch.tensor([1.0, 2.0]).dtype)\n",
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        " ".join(["True"] * 7),
        "rushlight rushlight rushlight.nn.functional",
        "torch.float32",
    ]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("import torch.foo", "ModuleNotFoundError: rushlight has no torch.foo"),
        ("import torch.foo.bar", "ModuleNotFoundError: rushlight has no torch.foo"),
        ("from torch.nn.foo import bar", "ModuleNotFoundError: rushlight has no torch.nn.foo"),
        ("from torch import foo", "ImportError: cannot import name 'foo' from 'rushlight'"),
    ],
)
def test_what_rushlight_lacks_is_named(tmp_path: Path, statement: str, error: str) -> None:
    done = run_script(tmp_path, statement)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(error)


def test_a_missing_attribute_is_named(tmp_path: Path) -> None:
    done = run_script(tmp_path, "import torch\ntorch.frobnicate(1)")
    assert done.returncode == 1
    assert "AttributeError" in done.stderr and "frobnicate" in done.stderr


def test_child_processes_have_the_alias(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        "import multiprocessing, subprocess, sys\n"
        "import torch\n"
        "def work(queue):\n"
        "    import torch.nn\n"
        "    queue.put(torch.__name__)\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    queue = context.SimpleQueue()\n"
        "    child = context.Process(target=work, args=(queue,))\n"
        "    child.start()\n"
        "    child.join()\n"
        "    print(queue.get(), child.exitcode, flush=True)\n"
        "    code = 'import torch; print(torch.__name__)'\n"
        "    subprocess.run([sys.executable, '-c', code], check=True)\n",
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["rushlight 0", "rushlight"]


def test_the_users_sitecustomize_runs_too(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("mark = 'mine'\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    code = "import sitecustomize, sys, torch; print(sitecustomize.mark, torch.__name__)"
    done = rush("run", "-c", code, PYTHONPATH=path)
    assert done.stdout == "mine rushlight\n", done.stderr


# ---- run: all else is Python's own ----


def test_script_sees_what_python_would_show_it(tmp_path: Path) -> None:
    text = (
        "import os, sys\n"
        "print(sys.argv[1:], os.path.basename(sys.argv[0]), __name__, __file__)\n"
        "print(sys.modules['__main__'].__dict__ is globals(), sys.path[0])\n"
        "print([name for name in sys.modules if name.startswith('rushlight')])\n"
        "print([entry for entry in sys.path if 'startup' in entry])\n"
    )
    done = run_script(tmp_path, text, "-h", "--epochs", "3", "run")
    script = str(tmp_path / "script.py")
    assert done.stdout.splitlines() == [
        f"['-h', '--epochs', '3', 'run'] script.py __main__ {script}",
        f"True {tmp_path}",
        "[]",
        "[]",
    ]
    plain = subprocess.run(
        [sys.executable, script, "-h", "--epochs", "3", "run"], capture_output=True, text=True
    )
    assert plain.stdout == done.stdout


def test_traceback_is_the_scripts_own(tmp_path: Path) -> None:
    text = "import torch\ndef f():\n    raise ValueError('boo')\nf()\n"
    done = run_script(tmp_path, text)
    assert done.returncode == 1
    frames = re.findall(r'File "(.*)", line (\d+), in (.*)', done.stderr)
    script = str(tmp_path / "script.py")
    assert frames == [(script, "4", "<module>"), (script, "3", "f")]
    assert done.stderr.splitlines()[-1] == "ValueError: boo"


@pytest.mark.parametrize(
    ("statement", "status", "error"),
    [
        ("pass", 0, ""),
        ("raise SystemExit", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('sorry')", 1, "sorry\n"),
        ("os._exit(9)", 9, ""),
    ],
)
def test_exit_codes(tmp_path: Path, statement: str, status: int, error: str) -> None:
    done = run_script(tmp_path, f"import os, sys\n{statement}\n")
    assert (done.returncode, done.stderr) == (status, error)


def test_keyboard_interrupt(tmp_path: Path) -> None:
    done = run_script(tmp_path, "raise KeyboardInterrupt")
    assert done.returncode == -signal.SIGINT
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"


def test_modules_code_and_options(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text("import sys, torch; print(sys.argv[1:], torch.__name__)")
    assert rush("run", "-m", "tool", "-x", cwd=tmp_path).stdout == "['-x'] rushlight\n"
    assert rush("run", "-c", "import sys; print(sys.argv)", "-m").stdout == "['-c', '-m']\n"
    script = tmp_path / "flags.py"
    script.write_text("import sys; print(sys.flags.optimize, sys.warnoptions)")
    done = subprocess.run(
        [sys.executable, "-O", "-W", "error", "-m", "rushlight", "run", str(script)],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1 ['error']\n", done.stderr


def test_run_refuses() -> None:
    done = rush("run")
    assert done.returncode == 2 and "name a script" in done.stderr
    done = rush("run", "no_such_script.py")
    assert done.returncode == 2 and "no_such_script.py" in done.stderr


# ---- info ----


def test_info_json() -> None:
    done = rush("info", "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0 and done.stderr == ""
    assert facts["rushlight"] == rushlight.__version__
    assert re.search("v[234]|neon", facts["instruction_set"])
    assert facts["threads"] >= 1
    assert {"allocated", "reserved", "peak"} <= set(facts["memory"])
    assert all(isinstance(count, int) and count >= 0 for count in facts["memory"].values())
    assert set(facts["cuda"]) == {"cupy", "devices", "problem"}


def test_info_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["rushlight", "Python", "NumPy", "machine", "threads", "memory", "CuPy", "CUDA"]


# ---- demo ----


@pytest.mark.parametrize("seed", [0, 1])
def test_demo_reaches_97_percent(tmp_path: Path, seed: int) -> None:
    done = rush("demo", "--seed", seed, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    epochs = re.findall(r"epoch +(\d+)  loss (\S+)  test accuracy (\S+) %", done.stdout)
    assert [int(number) for number, _, _ in epochs] == list(range(1, 16))
    assert float(epochs[-1][1]) < 0.1 < 1 < float(epochs[0][1])
    final = re.search(r"final test accuracy: (\S+) %", done.stdout)
    assert final and float(final[1]) >= 97
    seconds = re.search(r"trained in (\S+) s", done.stdout)
    assert seconds and float(seconds[1]) < 60


def test_demo_pictures(tmp_path: Path) -> None:
    done = rush("demo", "--epochs", 1, "--output", tmp_path / "new" / "folder")
    assert done.returncode == 0, done.stderr
    written = {path.name: path.read_bytes() for path in (tmp_path / "new" / "folder").iterdir()}
    assert b"<svg" in written["graph.svg"] and b"7.weight" in written["graph.svg"]
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        assert "pip install 'rushlight[plot]'" in done.stdout and "loss.png" not in written
    else:
        assert written["loss.png"].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--epochs", "0"],
        ["--lr", "-1"],
        ["--lr", "nan"],
        ["--batch-size", "x"],
        ["--device", "tpu"],
    ],
)
def test_demo_refuses(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["demo", *arguments])
    assert stopped.value.code == 2
    assert f"argument {arguments[0]}: invalid" in capsys.readouterr().err


def test_demo_on_a_device_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    if rushlight.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert cli.main(["demo", "--device", "cuda"]) == 1
    assert "no CUDA device" in capsys.readouterr().err


def test_version_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"rushlight {rushlight.__version__}\n"
    with pytest.raises(SystemExit) as stopped:
        cli.main([])
    assert stopped.value.code == 2


# ---- make_dot ----


def test_make_dot() -> None:
    w = rushlight.ones(2, requires_grad=True)
    c = rushlight.ones(2)
    source = make_dot((w * w * c).mean(), {"w": w}).source
    assert source.startswith("digraph {") and source.endswith("}\n")
    labels = re.findall(r'\[label="(.*?)"', source)
    code = test_make_dot.__code__
    place = rf"\ntest_cli.py:{code.co_firstlineno + 3}"
    operations = [f"{o}{place}" for o in (
        r"MeanBackward0\n()", r"MulBackward0\n(2,)", r"MulBackward0\n(2,)"
    )]  # fmt: skip
    assert sorted(labels) == [*operations, r"output\n()", r"w\n(2,)"]
    # w into the first product twice, and one edge from each of the four others.
    assert source.count(" -> ") == 5


def test_make_dot_without_names_and_with_two_outputs() -> None:
    w = rushlight.ones(2, requires_grad=True)
    shared = w.exp()
    source = make_dot([shared.sum(), shared.mean()]).source
    assert re.findall(r'\[label="(\(.*?\))"', source) == ["(2,)"]
    assert source.count("ExpBackward0") == 1 and "output1" in source


def test_boxes_of_the_built_in_picture_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    leaves = [rushlight.ones(2, requires_grad=True) for _ in range(6)]
    x = leaves[0]
    for leaf in leaves[1:]:
        x = (x * leaf).exp() + leaf + leaves[0]
    picture = ElementTree.fromstring(make_dot(x.sum()).svg())
    rects = [r.attrib for r in picture.iter("{http://www.w3.org/2000/svg}rect") if "rx" in r.attrib]
    places = [tuple(float(r[k]) for k in ("x", "y", "width", "height")) for r in rects]
    assert len(places) == 6 + 4 * 5 + 2
    for i, (x1, y1, w1, h1) in enumerate(places):
        for x2, y2, w2, h2 in places[:i]:
            assert x1 >= x2 + w2 or x2 >= x1 + w1 or y1 >= y2 + h2 or y2 >= y1 + h1


def test_make_dot_of_a_deep_graph() -> None:
    x = start = rushlight.ones(1, requires_grad=True)
    for _ in range(5000):
        x = x * 1
    graph = make_dot(x, {"x": start})
    assert graph.source.count("MulBackward0") == 5000
    assert len(graph.svg()) > 500_000


def test_make_dot_escapes_names() -> None:
    w = rushlight.ones(1, requires_grad=True)
    assert r'"a \"b\" \\c\n(1,)"' in make_dot(w * 2, {'a "b" \\c': w}).source


def test_make_dot_without_a_graph() -> None:
    with pytest.raises(RuntimeError, match="output 0 has no grad_fn"):
        make_dot(rushlight.ones(1))


def test_make_dot_of_several_results() -> None:
    w = rushlight.ones(8, requires_grad=True)
    source = make_dot(w.unbind()[3]).source
    assert r"UnbindBackward0\n() () () ...\ntest_cli.py" in source


def current_line() -> int:
    """Of the caller."""
    return sys._getframe(1).f_lineno


@needs_dot
def test_make_dot_draws(tmp_path: Path) -> None:
    w = rushlight.ones(1, requires_grad=True)
    graph = make_dot(w * 2, {"w": w})
    assert "<svg" in graph.svg() and graph._repr_svg_() == graph.svg()
    assert graph.save(tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RuntimeError, match="dot failed"):
        graph.save(tmp_path / "graph.nonsense")


def test_make_dot_without_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    w = rushlight.ones(1, requires_grad=True)
    graph, line = make_dot(w * 2, {"<w>": w}), current_line()
    with pytest.raises(RuntimeError, match=r"needs Graphviz.*Install it"):
        graph.save(tmp_path / "graph.png")
    picture = ElementTree.fromstring(graph._repr_svg_())
    assert [t.text for t in picture.iter("{http://www.w3.org/2000/svg}text")] == [
        "MulBackward0", "(1,)", f"test_cli.py:{line}", "<w>", "(1,)", "output", "(1,)",
    ]  # fmt: skip
    assert graph.save(tmp_path / "graph.svg").read_text() == graph.svg()
    assert graph.save(tmp_path / "graph.dot").read_text() == graph.source == str(graph)
