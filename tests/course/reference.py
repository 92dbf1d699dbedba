"""The numbers that the coursework publishes, and the error measure it publishes them with."""

import numpy as np

from plaingrad.course.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array


def rel_error(x, y):
    return np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)))


def check(forward, backward, inputs, tolerance):
    """Every gradient of a pair against differences, with a random upstream gradient."""
    out, cache = forward(*inputs)
    dout = np.random.randn(*out.shape)
    gradients = backward(dout, cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for i, gradient in enumerate(gradients):

        def moved(array, i=i):
            return forward(*inputs[:i], array, *inputs[i + 1 :])[0]

        numeric = eval_numerical_gradient_array(moved, inputs[i].copy(), dout)
        assert gradient.shape == inputs[i].shape
        assert rel_error(numeric, gradient) <= tolerance, f"gradient {i}"


def numeric_errors(net, loss, grads):
    return {
        name: rel_error(
            eval_numerical_gradient(lambda _: loss()[0], net.params[name], verbose=False), grads[name]
        )
        for name in sorted(grads)
    }


TOY_SCORES = np.array(
    [
        [-0.81233741, -1.27654624, -0.70335995],
        [-0.17129677, -1.18803311, -0.47310444],
        [-0.51590475, -1.01354314, -0.8504215],
        [-0.15419291, -0.48629638, -0.52901952],
        [-0.00618733, -0.12435261, -0.15226949],
    ]
)

AFFINE_OUT = np.array([[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]])

RELU_OUT = np.array([[0, 0, 0, 0], [0, 0, 0.04545455, 0.13636364], [0.22727273, 0.31818182, 0.40909091, 0.5]])

FC_SCORES = np.array(
    [
        [11.53165108, 12.2917344, 13.05181771, 13.81190102, 14.57198434, 15.33206765, 16.09215096],
        [12.05769098, 12.74614105, 13.43459113, 14.1230412, 14.81149128, 15.49994135, 16.18839143],
        [12.58373087, 13.20054771, 13.81736455, 14.43418138, 15.05099822, 15.66781506, 16.2846319],
    ]
)

CONV_OUT = np.array(
    [
        [
            [[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]],
            [[0.21027089, 0.21661097], [0.22847626, 0.23004637]],
            [[0.50813986, 0.54309974], [0.64082444, 0.67101435]],
        ],
        [
            [[-0.98053589, -1.03143541], [-1.19128892, -1.24695841]],
            [[0.69108355, 0.66880383], [0.59480972, 0.56776003]],
            [[2.36270298, 2.36904306], [2.38090835, 2.38247847]],
        ],
    ]
)

POOL_OUT = np.array(
    [
        [
            [[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]],
            [[-0.14526316, -0.13052632], [-0.08631579, -0.07157895]],
            [[-0.02736842, -0.01263158], [0.03157895, 0.04631579]],
        ],
        [
            [[0.09052632, 0.10526316], [0.14947368, 0.16421053]],
            [[0.20842105, 0.22315789], [0.26736842, 0.28210526]],
            [[0.32631579, 0.34105263], [0.38526316, 0.4]],
        ],
    ]
)


def toy_data():
    np.random.seed(1)
    return 10 * np.random.randn(5, 4), np.array([0, 1, 2, 2, 1])


def small_images(count=50, validation=50, shape=(3, 32, 32), seed=0):
    """Made-up images of ten classes, each a pattern of its own under noise, in the Solver's dict."""
    rng = np.random.default_rng(seed)
    patterns = rng.standard_normal((10, *shape))

    def images(n):
        y = rng.integers(10, size=n)
        return patterns[y] * 20 + rng.standard_normal((n, *shape)) * 60, y

    (X_train, y_train), (X_val, y_val) = images(count), images(validation)
    return {"X_train": X_train, "y_train": y_train, "X_val": X_val, "y_val": y_val}
