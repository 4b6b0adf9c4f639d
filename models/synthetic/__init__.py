"""Training crops rendered from the simulator's vehicles and people."""
