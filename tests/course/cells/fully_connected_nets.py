# ruff: noqa: E402, F403, F405
# What the notebook about fully-connected networks does, in our own words, as one script.
import matplotlib.pyplot as plt
import numpy as np

# ---
from cs231n.classifiers.fc_net import *
from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
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
data["X_train"], data["y_train"] = made_up(200)
data["X_val"], data["y_val"] = made_up(100)
for k, v in list(data.items()):
    print(f"{k}: ", v.shape)
# ---
np.random.seed(231)
x, w, b = np.random.randn(10, 2, 3), np.random.randn(6, 5), np.random.randn(5)
dout = np.random.randn(10, 5)
_, cache = affine_forward(x, w, b)
dx, dw, db = affine_backward(dout, cache)
assert rel_error(eval_numerical_gradient_array(lambda x: affine_forward(x, w, b)[0], x, dout), dx) < 1e-9
# ---
from cs231n.layer_utils import affine_relu_backward, affine_relu_forward

out, cache = affine_relu_forward(x, w, b)
dx, dw, db = affine_relu_backward(dout, cache)
assert rel_error(eval_numerical_gradient_array(lambda w: affine_relu_forward(x, w, b)[0], w, dout), dw) < 1e-8
# ---
np.random.seed(231)
x, y = 0.001 * np.random.randn(50, 10), np.random.randint(10, size=50)
for loss_function, expected in ((svm_loss, 8.999602749096233), (softmax_loss, 2.302545844500738)):
    loss, dx = loss_function(x, y)
    assert abs(loss - expected) < 1e-12
# ---
solver = Solver(TwoLayerNet(), data, optim_config={"learning_rate": 1e-3}, num_epochs=1, batch_size=50)
solver.train()
# ---
np.random.seed(231)
X, y = np.random.randn(2, 15), np.random.randint(10, size=(2,))
for reg, expected in ((0, 2.3004790897684924), (3.14, 7.052114776533016)):
    model = FullyConnectedNet(
        [20, 30], input_dim=15, num_classes=10, reg=reg, weight_scale=5e-2, dtype=np.float64
    )
    loss, grads = model.loss(X, y)
    print("Initial loss: ", loss)
    assert abs(loss - expected) < 1e-12
    for name in sorted(grads):
        f = lambda _: model.loss(X, y)[0]  # noqa: B023, E731
        grad_num = eval_numerical_gradient(f, model.params[name], verbose=False, h=1e-5)
        print("%s relative error: %.2e" % (name, rel_error(grad_num, grads[name])))
# ---
small_data = {k: v[:50] for k, v in data.items() if "train" in k}
small_data["X_val"], small_data["y_val"] = data["X_val"], data["y_val"]
model = FullyConnectedNet([100, 100], weight_scale=1e-1, dtype=np.float64)
solver = Solver(
    model, small_data, print_every=10, num_epochs=20, batch_size=25, update_rule="sgd",
    optim_config={"learning_rate": 1e-3},
)  # fmt: skip
solver.train()
assert max(solver.train_acc_history) == 1.0
plt.plot(solver.loss_history, "o")
# ---
from cs231n.optim import adam, rmsprop, sgd_momentum

w = np.linspace(-0.4, 0.6, num=20).reshape(4, 5)
for rule in (sgd_momentum, rmsprop, adam):
    next_w, config = rule(w, w, {"learning_rate": 1e-3})
    assert next_w.shape == w.shape
# ---
solvers = {}
for update_rule in ["sgd", "sgd_momentum", "rmsprop", "adam"]:
    model = FullyConnectedNet([30, 30], weight_scale=5e-2)
    solver = Solver(
        model, data, num_epochs=2, batch_size=50, update_rule=update_rule,
        optim_config={"learning_rate": 1e-3}, verbose=False,
    )  # fmt: skip
    solvers[update_rule] = solver
    solver.train()
plt.plot(solvers["adam"].val_acc_history, "-o", label="adam")
# ---
best_model = solvers["adam"].model
y_val_pred = np.argmax(best_model.loss(data["X_val"]), axis=1)
print("Validation set accuracy: ", (y_val_pred == data["y_val"]).mean())
assert (y_val_pred == data["y_val"]).mean() == solvers["adam"].best_val_acc
