"""The floor: what any careful site must do to send a code and check it, written with as little as possible."""
