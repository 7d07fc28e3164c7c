"""The attribution engine: instrumented models, replayed layers, the integral over them."""
