"""Formulas and their kernels: who runs when.  That kernels are right is the business of tests/kernels."""

from __future__ import annotations

import threading

import array_api_compat
import jaxtyping
import numpy as np
import pytest

from plaingrad import ops
from plaingrad.ops import formula, plain


@formula
def double_forward(x):
    """out = 2 x."""
    return 2 * x, None


@pytest.fixture
def double():
    """A formula of our own, without kernels."""
    return formula(double_forward.formula)


def test_the_kernel_registered_last_of_those_that_accept_runs(double):
    double.kernel(lambda x: x > 1)(lambda x: ("middling", None))
    double.kernel(lambda x: x > 10)(lambda x: ("large", None))
    assert [double(x)[0] for x in (1, 2, 20)] == [2, "middling", "large"]
    assert "2 kernels" in repr(double)


def test_which_kernel_would_run(double):
    kernel = double.kernel(lambda x: x > 1)(lambda x: ("kernel", None))
    assert double.kernel_for(2) is kernel
    assert double.kernel_for(1) is None
    with plain():
        assert double.kernel_for(2) is None


def test_registering_gives_the_kernel_back(double):
    def kernel(x):
        return "kernel", None

    assert double.kernel(lambda x: True)(kernel) is kernel


def test_plain_switches_kernels_off_and_nests(double):
    double.kernel(lambda x: True)(lambda x: ("kernel", None))
    with plain():
        assert double(1)[0] == 2
        with plain():
            assert double(1)[0] == 2
        assert double(1)[0] == 2, "leaving the inner block must not end the outer one"
    assert double(1)[0] == "kernel"


def test_plain_ends_with_an_exception(double):
    double.kernel(lambda x: True)(lambda x: ("kernel", None))
    with pytest.raises(ZeroDivisionError), plain():
        raise ZeroDivisionError
    assert double(1)[0] == "kernel"


def test_plain_is_for_its_own_thread(double):
    double.kernel(lambda x: True)(lambda x: ("kernel", None))
    seen = []
    with plain():
        thread = threading.Thread(target=lambda: seen.append(double(1)[0]))
        thread.start()
        thread.join()
    assert seen == ["kernel"]


def test_a_formula_keeps_its_name_and_docstring():
    assert ops.relu_forward.__name__ == "relu_forward"
    assert "max(x, 0)" in ops.relu_forward.__doc__
    assert repr(ops.relu_forward).startswith("<formula relu_forward, ")


def test_namespace_is_the_library_of_the_array(engine):
    assert ops.namespace(engine.array(np.ones(2))) is array_api_compat.array_namespace(
        engine.array(np.ones(2))
    )


def test_shapes_are_checked_while_testing():
    """The import hook of tests/conftest.py is at work: NumPy itself would broadcast this bias."""
    with pytest.raises(jaxtyping.TypeCheckError):
        ops.affine_forward.formula(np.ones((2, 3)), np.ones((3, 4)), np.ones(1))
