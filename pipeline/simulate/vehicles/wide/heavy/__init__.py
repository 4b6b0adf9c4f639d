"""Bodies behind cabs, buses, lorries and tractors."""
