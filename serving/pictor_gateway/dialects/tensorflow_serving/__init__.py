"""TensorFlow Serving's REST API: its addresses, bodies, words and status codes, before Pictor's models.

`document.py` reads JSON, `request.py` what it asks for, `pixels.py` raw pixels; `answer.py` writes what is
answered, `refusals.py` what is refused, `metadata.py` what the models are.
"""
