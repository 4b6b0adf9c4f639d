"""Vehicles with a bonnet, from microcar to long van."""
