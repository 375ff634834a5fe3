"""TensorFlow Serving over gRPC: its servers, what each of them has, and the calls to them."""
