"""From a trained model to a published version: the artifact's files, the proof that they agree, the store.

::

    golden.py    a picture whose answer travels with the contract
    graph.py     the function that TensorFlow Serving runs, written as a SavedModel
    onnx.py      the same function for ONNX Runtime
    warmup.py    one request per batch size, run by TensorFlow Serving before it answers others
    forms.py     the engines that can answer for the model, each loaded as it is in production
    parity.py    the same pictures to every engine: equal answers, or no artifact
    artifact.py  all of the above in one folder with its manifest
    publish.py   that folder into the store under the next number; needs no TensorFlow
"""
