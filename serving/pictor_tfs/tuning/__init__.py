"""TensorFlow Serving's batching and threads by what was measured: `pictor tfs-config`.

::

    measuring.py   a running server asked with batches of 1, 2, 4, ...: how long a call takes
    figures.py     what came of it, as JSON for people and for the next step
    rules.py       from figures, hardware and latency budget to each setting, and why
    files.py       the settings as the files and flags that TensorFlow Serving reads
    cli.py         the command
"""
