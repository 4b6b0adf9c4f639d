"""Human mesh recovery: SMPL pose and shape of a person in a box, as HMR 2.0 finds them."""

from models.hmr.predict import People, PeopleRegressor, Regressor, check_weights, load, load_default

__all__ = ["People", "PeopleRegressor", "Regressor", "check_weights", "load", "load_default"]
