"""The Open Inference Protocol, version 2, as KServe and Triton speak it over HTTP.

`request.py` reads what was sent, `tensors.py` the pictures in it, `answer.py` writes what is answered.
"""
