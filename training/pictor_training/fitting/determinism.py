"""The same command, the same weights."""

import keras
import tensorflow as tf


def make_deterministic(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow and keep it to repeatable kernels, for the rest of the process.

    To be called before the network is built. Weights then repeat bit by bit on the same machine and versions
    with the same number of threads; another number of intra-op threads (by default one per core) adds floats
    up in another order and changes the last bits.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
