"""The edge: gRPC and the OpenAI-compatible REST shim in, one protocol out. No model, no routing rule."""
