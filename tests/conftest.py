"""What holds for every test: shapes checked at run time, exact oracles, data only where it is present."""

import os
from pathlib import Path

import jaxtyping
import pytest
from hypothesis import settings

# The oracle computes on the CPU in float64.  JAX reads this when it is first imported.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

# Shapes written in the signatures of `ops` are checked at every call, but only here, under pytest.
# This must come before plaingrad is imported anywhere.
jaxtyping.install_import_hook("plaingrad.ops", "beartype.beartype")

# No deadline: the first call of an array library compiles.
settings.register_profile("plaingrad", deadline=None, max_examples=25)
settings.load_profile("plaingrad")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with real data sets; tests that need one are skipped where there is none."""
    folder = os.environ.get("PLAINGRAD_DATA_DIR")
    if not folder:
        pytest.skip("no real data: set PLAINGRAD_DATA_DIR to a folder that holds cifar-10-batches-py")
    return Path(folder)
