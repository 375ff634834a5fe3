"""What is kept of the traffic for later training: sampled pictures, and what users say of predictions.

`prediction_ids.py` names each prediction, `choice.py` picks pictures, `capture.py` takes them to the thread
of `writer.py`, `feedback.py` takes the labels.
"""
