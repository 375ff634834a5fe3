"""TensorFlow Serving told which versions to serve, and asked whether it does."""
