"""Whether a challenger may take the champion's place.

::

    ask            the gate: every check, in order, and the verdict
      champion     who stands there now; its answers, by its own model.onnx (engine)
      declared     labels, input, head: changed only where that is said
      standards    is it good enough by itself: accuracy, recall, calibration
      paired       the held-out pictures that neither was trained on, known ones and new ones
      regression   is it worse, all in all or on a class: the paired test (mcnemar)
      costs        time and space
      served       does the real gateway answer the same; installed asks before whether there is one

Importing any of it loads no TensorFlow.
"""
