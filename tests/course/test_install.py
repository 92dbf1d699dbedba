"""A notebook's code, run as a script in a fresh Python in which plaingrad stands for the course's package."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import plaingrad

CELLS = Path(__file__).parent / "cells"
PRINTED = {
    "convolutional_networks": [
        "Initial loss (no regularization):  2.302586",
        "(Epoch 20 / 20) train acc: 1.000000; val_acc: ",
    ],
    "fully_connected_nets": [
        "Initial loss:  2.30047908976849",
        "(Epoch 20 / 20) train acc: 1.000000; val_acc: ",
    ],
    "two_layer_net": ["Final training loss:  0.0171496079387", "iteration 100 / 101: loss 2.3"],
}


def python(code, cwd):
    """Run code in a Python of its own; its output, or a failure with all that it said."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(Path(plaingrad.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")


@pytest.mark.parametrize("name", ["cs231n", "cs682"])
@pytest.mark.parametrize("notebook", sorted(path.stem for path in CELLS.glob("*.py")))
def test_notebook_runs_unchanged(notebook, name, tmp_path):
    cells = (CELLS / f"{notebook}.py").read_text(encoding="utf-8").replace("cs231n", name)
    printed = python(f"import plaingrad.course\nplaingrad.course.install({name!r})\n{cells}", tmp_path)
    for line in PRINTED[notebook]:
        assert line in printed


def test_every_way_to_import(tmp_path):
    python(
        """
        import importlib
        import plaingrad.course as course
        course.install("cs231n")
        course.install("cs231n")
        course.install("cs682")

        import cs231n.classifiers.fc_net
        import cs682.layers as layers
        from cs231n import optim
        from cs231n.classifiers import FullyConnectedNet, ThreeLayerConvNet, TwoLayerNet
        from cs231n.classifiers.cnn import *
        from cs231n.classifiers.fc_net import *
        import plaingrad.course.layers

        assert affine_forward is layers.affine_forward is plaingrad.course.layers.affine_forward
        assert cs231n.classifiers.fc_net.TwoLayerNet is TwoLayerNet
        assert importlib.reload(optim) is optim
        importlib.reload(cs231n.classifiers.fc_net)
        importlib.reload(cs231n)
        course.install("cs231n")
        for module in ("data_utils", "fast_layers", "gradient_check", "im2col", "layer_utils", "solver", "vis_utils"):
            importlib.import_module("cs231n." + module)
        try:
            import cs231n.rnn_layers
        except ModuleNotFoundError:
            pass
        else:
            raise AssertionError("imported a module that is not there")
        """,
        tmp_path,
    )


def test_another_package_of_that_name_is_not_replaced(tmp_path):
    (tmp_path / "cs231n").mkdir()
    (tmp_path / "cs231n" / "__init__.py").write_text("mine = True")
    printed = python(
        """
        import sys
        sys.path.insert(0, "")
        import cs231n
        import plaingrad.course as course
        try:
            course.install("cs231n")
        except course.NameTakenError as error:
            print(error)
        import cs231n
        assert cs231n.mine
        assert "cs231n.layers" not in sys.modules
        course.install("cs682")
        """,
        tmp_path,
    )
    assert "cs231n is already imported, from" in printed
    assert "restart Python" in printed


def test_a_folder_beside_the_notebook_is_not_imported(tmp_path):
    (tmp_path / "cs231n").mkdir()
    (tmp_path / "cs231n" / "__init__.py").write_text("raise RuntimeError")
    python("import plaingrad.course as c; c.install(); import cs231n.layers", tmp_path)


def test_importing_the_package_is_cheap(tmp_path):
    python("import sys, plaingrad.course; assert 'numpy' not in sys.modules", tmp_path)


def test_wrong_names_and_conventions(tmp_path):
    python(
        """
        import plaingrad.course as course
        for wrong in ({"name": "cs 231n"}, {"name": "cs231n.layers"}, {"dropout_p": "maybe"}):
            try:
                course.install(**wrong)
            except ValueError:
                continue
            raise AssertionError(wrong)
        course.install(dropout_p="drop")
        from cs231n.classifiers.fc_net import FullyConnectedNet
        assert not FullyConnectedNet([3], 4, 2, dropout=0).use_dropout
        """,
        tmp_path,
    )


def test_the_documentation_runs(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "course.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 4
    printed = python("\n".join(blocks), tmp_path)
    assert "Initial loss: 2.30047908976849" in printed
    assert "'W1': (8, 3, 5, 5), 'b1': (8,), 'W2': (2048, 100)" in printed
    assert "(Epoch 2 / 2)" in printed
