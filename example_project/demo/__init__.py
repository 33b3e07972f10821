"""A small site that has its visitors' numbers verified by SMS."""
