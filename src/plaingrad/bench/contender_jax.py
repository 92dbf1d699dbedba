"""JAX as a contender: the whole step is one compiled function."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from plaingrad.bench.contenders import Contender
from plaingrad.bench.jax_network import translated
from plaingrad.bench.workloads import Workload, channels_last, images

Tree = Any


class JAX(Contender):
    """JAX: gathering, forward, backward and update under one `jit`, whose old parameters are donated; images
    kept as uint8, (N, H, W, C)."""

    library = "JAX"

    def __init__(self, workload: Workload, setting: str = "") -> None:
        super().__init__(workload, setting)
        params, state, forward = translated(workload.build())
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
        pixels, labels = images()
        rows = channels_last(pixels) if workload.hidden is None else pixels.reshape(-1, 3072)
        self.data = tuple(
            map(jnp.asarray, (rows, rows.mean(axis=0).astype("float32"), labels.astype("int32")))
        )
        self.rng = np.random.default_rng(0)

        def loss(params: Tree, state: Tree, x: jax.Array, y: jax.Array) -> tuple[jax.Array, Tree]:
            scores, after = forward(params, state, x)
            return -jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1).mean(), after

        @partial(jax.jit, donate_argnums=(0, 1, 2))
        def step(params: Tree, state: Tree, slots: Tree, t: jax.Array, data: Tree, chosen: jax.Array) -> Tree:
            pixels, mean, labels = data
            x = jnp.take(pixels, chosen, axis=0).astype(jnp.float32) - mean
            (value, state), grads = jax.value_and_grad(loss, has_aux=True)(
                params, state, x, jnp.take(labels, chosen)
            )
            params, slots = _updated(workload.rule, workload.lr, params, grads, slots, t)
            return params, state, slots, value

        self.step = step
        zeros = jax.tree.map(jnp.zeros_like, params)
        slots = {"sgd": (), "momentum": (zeros,), "adam": (zeros, jax.tree.map(jnp.copy, zeros))}
        self.numbers, self.t = (params, state, slots[workload.rule]), 0

    def run(self, steps: int) -> float:
        """Reading the last loss waits for all that was dispatched."""
        loss: Any = np.nan
        for _ in range(steps):
            chosen = self.rng.integers(0, len(self.data[2]), self.workload.batch, dtype=np.int32)
            self.t += 1
            *numbers, loss = self.step(*self.numbers, np.float32(self.t), self.data, chosen)
            self.numbers = tuple(numbers)
        jax.block_until_ready(self.numbers)
        return float(loss)


def _updated(
    rule: str, lr: float, params: Tree, grads: Tree, slots: tuple[Tree, ...], t: jax.Array
) -> tuple[Tree, tuple[Tree, ...]]:
    """The next parameters and what the rule remembers."""
    if rule == "sgd":
        return jax.tree.map(lambda w, dw: w - lr * dw, params, grads), ()
    if rule == "momentum":
        velocity = jax.tree.map(lambda v, dw: 0.9 * v - lr * dw, slots[0], grads)
        return jax.tree.map(jnp.add, params, velocity), (velocity,)
    m = jax.tree.map(lambda m, dw: 0.9 * m + 0.1 * dw, slots[0], grads)
    v = jax.tree.map(lambda v, dw: 0.999 * v + 0.001 * dw * dw, slots[1], grads)
    root = jnp.sqrt(1 - 0.999**t)
    size = lr * root / (1 - 0.9**t)
    return jax.tree.map(lambda w, m, v: w - size * m / (jnp.sqrt(v) + 1e-8 * root), params, m, v), (m, v)
