"""A small site that verifies phone numbers by SMS."""
