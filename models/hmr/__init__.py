"""Human mesh recovery: SMPL pose and shape of a person in a box, as HMR 2.0 finds them."""

from models.hmr.predict import WEIGHTS, People, PeopleRegressor, Regressor, check_weights, load, load_default

__all__ = ["WEIGHTS", "People", "PeopleRegressor", "Regressor", "check_weights", "load", "load_default"]
