"""Compiling: kept on disk, announced, and never the reason why something fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plaingrad.kernels import compiled

pytestmark = pytest.mark.skipif(not compiled.available, reason="Numba is not installed")

STEP = """
import numpy as np
from plaingrad import ops
import plaingrad.kernels
out, _ = ops.relu_forward(np.array([-1.0, 2.0], np.float32))
print(out.tolist(), plaingrad.kernels.available)
"""


def run(code: str = STEP, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )


def test_kept_and_announced_once(tmp_path):
    first, second = (run(PLAINGRAD_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert first.stdout == second.stdout == "[0.0, 2.0] True\n"
    assert "compiling kernels for this machine" in first.stderr
    assert second.stderr == ""
    assert list(tmp_path.glob("kernels/*/**/*.nbi"))


def test_damaged_files_are_compiled_anew(tmp_path):
    run(PLAINGRAD_CACHE_DIR=str(tmp_path))
    for file in tmp_path.glob("kernels/*/**/*.nb?"):
        file.write_bytes(file.read_bytes()[:10])
    assert run(PLAINGRAD_CACHE_DIR=str(tmp_path)).stdout == "[0.0, 2.0] True\n"


def test_a_folder_that_takes_no_file(tmp_path):
    (tmp_path / "file").touch()
    done = run(PLAINGRAD_CACHE_DIR=str(tmp_path / "file"))
    assert done.stdout == "[0.0, 2.0] True\n"
    assert not list(Path(compiled.__file__).parent.glob("__pycache__/*.nbi"))


@pytest.mark.parametrize("variable", ["PLAINGRAD_NO_NUMBA", "NUMBA_DISABLE_JIT"])
def test_without_numba(variable, tmp_path):
    done = run(PLAINGRAD_CACHE_DIR=str(tmp_path), **{variable: "1"})
    assert done.stdout == "[0.0, 2.0] False\n"
    assert not list(tmp_path.glob("kernels/*/**/*.nbi"))


def test_a_numba_that_cannot_be_imported(tmp_path):
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('needs another NumPy')")
    assert run(PYTHONPATH=str(tmp_path)).stdout == "[0.0, 2.0] False\n"
