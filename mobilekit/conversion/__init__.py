"""From a PyTorch model to a verified .tflite file; :mod:`mobilekit.conversion.pipeline` is the table of contents."""
