"""What is said to TensorFlow Serving and what it answers, without TensorFlow."""
