"""Vehicle keypoints: twelve points of every vehicle, hidden ones too, each with state, score and expected error."""

from models.vehicle_keypoints.predict import Keypoints, VehicleKeypoints, check_weights, load, load_default

__all__ = ["Keypoints", "VehicleKeypoints", "check_weights", "load", "load_default"]
