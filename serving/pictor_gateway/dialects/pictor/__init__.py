"""Pictor's own form: a picture in, labels and scores out.

`request.py` reads what was sent, `answer.py` writes what is answered, `documents.py` describes both.
"""
