"""SMS vendors as strict HTTP endpoints on the local machine."""
