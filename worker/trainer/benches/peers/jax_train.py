"""Plain SGD in JAX on one core: a whole epoch is one compiled scan, compilation not in the time."""

import os
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp

import mnist

args = mnist.arguments()
images, labels = (jnp.asarray(part) for part in mnist.train_set())
widths = [784, *args.hidden, 10]


def initial(key):
    keys = jax.random.split(key, len(widths) - 1)
    scale = [(6 / n) ** 0.5 for n in widths]
    return [
        (jax.random.uniform(k, (i, o), minval=-s, maxval=s), jnp.zeros(o))
        for k, i, o, s in zip(keys, widths, widths[1:], scale)
    ]


def loss(layers, x, y):
    for weights, bias in layers[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    logits = x @ layers[-1][0] + layers[-1][1]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()


def step(layers, rows):
    gradients = jax.grad(loss)(layers, images[rows], labels[rows])
    return jax.tree.map(lambda w, g: w - args.learning_rate * g, layers, gradients), None


def epoch(layers, key):
    n_batches = len(images) // args.batch_size
    order = jax.random.permutation(key, len(images))[: n_batches * args.batch_size]
    return jax.lax.scan(step, layers, order.reshape(n_batches, args.batch_size))[0]


run = jax.jit(epoch, donate_argnums=0)
layers = jax.block_until_ready(run(initial(jax.random.key(0)), jax.random.key(1)))
seconds = []
for number in range(args.epochs):
    start = time.process_time()
    layers = jax.block_until_ready(run(layers, jax.random.key(2 + number)))
    seconds.append(time.process_time() - start)
mnist.report(f"JAX {jax.__version__}, jit", seconds)
