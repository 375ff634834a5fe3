"""Whether what is seen still looks like what the model was trained on: a sample, compared on the side."""
