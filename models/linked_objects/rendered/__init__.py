"""Pictures of linked objects rendered whole: several bodies in one light, before backdrops, with exact visibility."""
