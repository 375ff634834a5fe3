"""What there is to learn from tonight: listed, hashed, compared with what is known, checked.

::

    listing ─▶ digests ─▶ losses ─▶ memory of known pictures ─▶ readable? ─▶ label check ─▶ collection
    (samples are copied first)

Importing any of it loads no TensorFlow.
"""
