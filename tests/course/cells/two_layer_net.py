# ruff: noqa: E402
# What the notebook about the two-layer network does, in our own words, as one script.
import os

import matplotlib.pyplot as plt
import numpy as np

# ---
from cs231n.classifiers.neural_net import TwoLayerNet


def rel_error(x, y):
    return np.max(np.abs(x - y) / (np.maximum(1e-8, np.abs(x) + np.abs(y))))


# ---
def init_toy_model():
    np.random.seed(0)
    return TwoLayerNet(4, 10, 3, std=1e-1)


def init_toy_data():
    np.random.seed(1)
    return 10 * np.random.randn(5, 4), np.array([0, 1, 2, 2, 1])


net = init_toy_model()
X, y = init_toy_data()
scores = net.loss(X)
assert scores.shape == (5, 3)
# ---
loss, _ = net.loss(X, y, reg=0.05)
print("difference to the reference loss:", abs(loss - 1.30378789133))
# ---
from cs231n.gradient_check import eval_numerical_gradient

loss, grads = net.loss(X, y, reg=0.05)
for param_name in grads:
    f = lambda W: net.loss(X, y, reg=0.05)[0]  # noqa: E731
    param_grad_num = eval_numerical_gradient(f, net.params[param_name], verbose=False)
    error = rel_error(param_grad_num, grads[param_name])
    print("%s max relative error: %e" % (param_name, error))
    assert error < 1e-8
# ---
net = init_toy_model()
stats = net.train(X, y, X, y, learning_rate=1e-1, reg=5e-6, num_iters=100, verbose=False)
print("Final training loss: ", stats["loss_history"][-1])
assert stats["loss_history"][-1] < 0.02
plt.plot(stats["loss_history"])
# ---
from cs231n.data_utils import load_CIFAR10

if os.environ.get("PLAINGRAD_DATA_DIR"):
    X_train, y_train, X_test, y_test = load_CIFAR10("cs231n/datasets/cifar-10-batches-py")
else:
    rng = np.random.default_rng(0)
    X_train, X_test = rng.uniform(0, 255, (700, 32, 32, 3)), rng.uniform(0, 255, (100, 32, 32, 3))
    y_train, y_test = rng.integers(10, size=700), rng.integers(10, size=100)
mask = list(range(500, 600))
X_val, y_val = X_train[mask], y_train[mask]
X_train, y_train = X_train[:500], y_train[:500]
mean_image = np.mean(X_train, axis=0)
X_train = (X_train - mean_image).reshape(500, -1)
X_val = (X_val - mean_image).reshape(100, -1)
# ---
net = TwoLayerNet(32 * 32 * 3, 50, 10)
stats = net.train(
    X_train, y_train, X_val, y_val, num_iters=101, batch_size=200, learning_rate=1e-4,
    learning_rate_decay=0.95, reg=0.25, verbose=True,
)  # fmt: skip
val_acc = (net.predict(X_val) == y_val).mean()
print("Validation accuracy: ", val_acc)
# ---
plt.subplot(2, 1, 2)
plt.plot(stats["train_acc_history"], label="train")
plt.plot(stats["val_acc_history"], label="val")
# ---
from cs231n.vis_utils import visualize_grid

W1 = net.params["W1"].reshape(32, 32, 3, -1).transpose(3, 0, 1, 2)
plt.imshow(visualize_grid(W1, padding=3).astype("uint8"))
plt.gca().axis("off")
