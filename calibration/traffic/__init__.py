"""A camera from the traffic that it sees: people and cars of usual sizes, and the straight ways that they go."""
