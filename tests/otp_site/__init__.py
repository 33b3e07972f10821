"""A site with an adapter, and what people do on it; tests/test_adapters.py runs it."""
