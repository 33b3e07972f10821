"""How soon codes arrive while vendors fail in various ways: the app itself, simulated vendors, a virtual clock."""
