# ruff: noqa: E402, F403, F405
# What the notebook about convolutional networks does, in our own words, as one script.
from time import time

import matplotlib.pyplot as plt
import numpy as np

# ---
from cs231n.classifiers.cnn import *
from cs231n.fast_layers import *
from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from cs231n.layers import *
from cs231n.solver import Solver


def rel_error(x, y):
    return np.max(np.abs(x - y) / (np.maximum(1e-8, np.abs(x) + np.abs(y))))


# --- the real notebook: data = get_CIFAR10_data()
rng = np.random.default_rng(0)
patterns = rng.standard_normal((10, 3, 32, 32))


def made_up(n):
    y = rng.integers(10, size=n)
    return 20 * patterns[y] + 60 * rng.standard_normal((n, 3, 32, 32)), y


data = {}
data["X_train"], data["y_train"] = made_up(60)
data["X_val"], data["y_val"] = made_up(30)
# --- filters made by hand; the real notebook filters photographs
x = np.zeros((2, 3, 20, 20))
x[0] = rng.integers(256, size=(20, 20, 3), dtype=np.uint8).transpose((2, 0, 1))
w = np.zeros((2, 3, 3, 3))
w[0, 0, :, :] = [[0, 0, 0], [0, 0.3, 0], [0, 0, 0]]
w[1, 2, :, :] = [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]
b = np.array([0, 128])
out, _ = conv_forward_naive(x, w, b, {"stride": 1, "pad": 1})
assert np.allclose(out[0, 0], 0.3 * x[0, 0])
assert np.allclose(out[1, 1], 128)
plt.imshow(out[0, 1].astype("uint8"))
# ---
np.random.seed(231)
x, w, b = np.random.randn(4, 3, 5, 5), np.random.randn(2, 3, 3, 3), np.random.randn(2)
dout = np.random.randn(4, 2, 5, 5)
conv_param = {"stride": 1, "pad": 1}
dx_num = eval_numerical_gradient_array(lambda x: conv_forward_naive(x, w, b, conv_param)[0], x, dout)
dw_num = eval_numerical_gradient_array(lambda w: conv_forward_naive(x, w, b, conv_param)[0], w, dout)
db_num = eval_numerical_gradient_array(lambda b: conv_forward_naive(x, w, b, conv_param)[0], b, dout)
out, cache = conv_forward_naive(x, w, b, conv_param)
dx, dw, db = conv_backward_naive(dout, cache)
assert max(rel_error(dx, dx_num), rel_error(dw, dw_num), rel_error(db, db_num)) < 2e-8
# ---
from cs231n.fast_layers import conv_backward_fast, conv_forward_fast

x, w, b = np.random.randn(10, 3, 31, 31), np.random.randn(25, 3, 3, 3), np.random.randn(25)
dout = np.random.randn(10, 25, 16, 16)
conv_param = {"stride": 2, "pad": 1}
t0 = time()
out_naive, cache_naive = conv_forward_naive(x, w, b, conv_param)
t1 = time()
out_fast, cache_fast = conv_forward_fast(x, w, b, conv_param)
t2 = time()
print("Naive: %fs, fast: %fs" % (t1 - t0, t2 - t1))
assert rel_error(out_naive, out_fast) < 1e-9
dx_naive, dw_naive, db_naive = conv_backward_naive(dout, cache_naive)
dx_fast, dw_fast, db_fast = conv_backward_fast(dout, cache_fast)
assert rel_error(dw_naive, dw_fast) < 1e-9
# ---
from cs231n.fast_layers import max_pool_backward_fast, max_pool_forward_fast

pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
x, dout = np.random.randn(10, 3, 32, 32), np.random.randn(10, 3, 16, 16)
out_naive, cache_naive = max_pool_forward_naive(x, pool_param)
out_fast, cache_fast = max_pool_forward_fast(x, pool_param)
assert rel_error(out_naive, out_fast) == 0
assert rel_error(max_pool_backward_naive(dout, cache_naive), max_pool_backward_fast(dout, cache_fast)) == 0
# ---
from cs231n.layer_utils import conv_relu_pool_backward, conv_relu_pool_forward

np.random.seed(231)
x, w, b = np.random.randn(2, 3, 16, 16), np.random.randn(3, 3, 3, 3), np.random.randn(3)
dout, conv_param = np.random.randn(2, 3, 8, 8), {"stride": 1, "pad": 1}
out, cache = conv_relu_pool_forward(x, w, b, conv_param, pool_param)
dx, dw, db = conv_relu_pool_backward(dout, cache)
f = lambda w: conv_relu_pool_forward(x, w, b, conv_param, pool_param)[0]  # noqa: E731
assert rel_error(eval_numerical_gradient_array(f, w, dout), dw) < 1e-7
# ---
from cs231n.layer_utils import conv_relu_backward, conv_relu_forward

np.random.seed(231)
x, w, b = np.random.randn(2, 3, 8, 8), np.random.randn(3, 3, 3, 3), np.random.randn(3)
dout = np.random.randn(2, 3, 8, 8)
out, cache = conv_relu_forward(x, w, b, conv_param)
dx, dw, db = conv_relu_backward(dout, cache)
f = lambda w: conv_relu_forward(x, w, b, conv_param)[0]  # noqa: E731
assert rel_error(eval_numerical_gradient_array(f, w, dout), dw) < 1e-7
# ---
model = ThreeLayerConvNet()
X, y = np.random.randn(50, 3, 32, 32), np.random.randint(10, size=50)
loss, grads = model.loss(X, y)
print("Initial loss (no regularization): ", loss)
model.reg = 0.5
loss, grads = model.loss(X, y)
print("Initial loss (with regularization): ", loss)
# ---
np.random.seed(231)
X, y = np.random.randn(2, 3, 8, 8), np.random.randint(10, size=2)
model = ThreeLayerConvNet(num_filters=3, filter_size=3, input_dim=(3, 8, 8), hidden_dim=7, dtype=np.float64)
loss, grads = model.loss(X, y)
for param_name in sorted(grads):
    f = lambda _: model.loss(X, y)[0]  # noqa: E731
    param_grad_num = eval_numerical_gradient(f, model.params[param_name], verbose=False, h=1e-6)
    print("%s max relative error: %e" % (param_name, rel_error(param_grad_num, grads[param_name])))
    assert np.allclose(param_grad_num, grads[param_name], atol=1e-8)
# ---
np.random.seed(231)
model = ThreeLayerConvNet(weight_scale=1e-2)
solver = Solver(
    model, data, num_epochs=20, batch_size=30, update_rule="adam", optim_config={"learning_rate": 1e-3},
    verbose=True, print_every=1,
)  # fmt: skip
solver.train()
print("Small data training accuracy:", solver.check_accuracy(data["X_train"], data["y_train"]))
plt.plot(solver.loss_history, "o")
# ---
from cs231n.vis_utils import visualize_grid

grid = visualize_grid(model.params["W1"].transpose(0, 2, 3, 1))
plt.imshow(grid.astype("uint8"))
# ---
np.random.seed(231)
x = 4 * np.random.randn(2, 3, 4, 5) + 10
bn_param = {"mode": "train"}
out, _ = spatial_batchnorm_forward(x, np.asarray([3, 4, 5]), np.asarray([6, 7, 8]), bn_param)
assert np.allclose(out.mean(axis=(0, 2, 3)), [6, 7, 8])
bn_param["mode"] = "test"
out, _ = spatial_batchnorm_forward(x, np.ones(3), np.zeros(3), bn_param)
# ---
x, gamma, beta = 5 * np.random.randn(2, 3, 4, 5) + 12, np.random.randn(3), np.random.randn(3)
dout, bn_param = np.random.randn(2, 3, 4, 5), {"mode": "train"}
fg = lambda a: spatial_batchnorm_forward(x, gamma, beta, bn_param)[0]  # noqa: E731
_, cache = spatial_batchnorm_forward(x, gamma, beta, bn_param)
dx, dgamma, dbeta = spatial_batchnorm_backward(dout, cache)
assert rel_error(eval_numerical_gradient_array(fg, gamma, dout), dgamma) < 1e-6
# ---
G, x = 2, 5 * np.random.randn(2, 6, 4, 5) + 12
gamma, beta = np.random.randn(1, 6, 1, 1), np.random.randn(1, 6, 1, 1)
dout, gn_param = np.random.randn(2, 6, 4, 5), {}
fg = lambda a: spatial_groupnorm_forward(x, gamma, beta, G, gn_param)[0]  # noqa: E731
_, cache = spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
dx, dgamma, dbeta = spatial_groupnorm_backward(dout, cache)
assert rel_error(eval_numerical_gradient_array(fg, gamma, dout), dgamma) < 1e-6
