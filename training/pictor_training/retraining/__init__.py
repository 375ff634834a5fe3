"""`pictor retrain`: new pictures in, a better model out, or a clear no.

::

    collect -> audit -> train -> gate -> publish -> label -> clean up
"""
