"""Files that come from outside, one module a kind: each is measured before it is trusted, and stays data."""
