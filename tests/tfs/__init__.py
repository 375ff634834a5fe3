"""A stand-in for TensorFlow Serving: its protocol, its checks, its codes and texts, and faults on demand.

::

    stand_in.py    the server: start, stop, and start again on the same port
    services.py    its two gRPC services; what it was asked
    configured.py  its configuration, by the call or by the polled file: what is loaded, labelled, unloaded
    versions.py    a version's folder, as it is written and loaded
    library.py     which versions of which models there are, their states and labels
    predict.py     one Predict, with the checks and the texts of the real server
    batching.py    the real server's batching mode, with its ways to fail
    faults.py      what a test can make go wrong
    models.py      what is served: a real SavedModel, or one of them half-loaded
    colours.py     a model of a few lines of NumPy, for tests that need no TensorFlow
    tensors.py     TensorFlow's tensors as messages
    monitoring.py  the page of metrics
    process.py     all of this as a process of its own (__main__.py), that can be killed
    exported.py    a store with a real model, exported by training's own code
    certificates.py  certificates for TLS
    apis.py        TensorFlow's own messages, without TensorFlow's seven seconds of start

What the real server does was measured on version 2.17.1.
"""
