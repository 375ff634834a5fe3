"""TensorFlow Serving's messages without TensorFlow; `make proto` makes `serving_pb2` from `serving.proto`."""
