"""What the guard lets through of attacks, and what honest people notice of it: the endpoints, on a virtual clock."""
