import numpy as np
import pytest

from models.people_groups.couples.views import BANDS, overlap_in, view_of, wanted_overlap

# Table 1 of the paper, OCPose: of pictures whose IoU is above, and the mean.
OCPOSE = {0.3: 0.90, 0.5: 0.76, 0.75: 0.27}
MEAN = 0.47


def test_no_set_has_the_papers_four_numbers():
    """The least mean of any set that has its three fractions is above the mean that it gives."""
    above = [1.0, *OCPOSE.values()]
    levels = [0.0, *OCPOSE]
    within = -np.diff([*above, 0.0])
    assert within @ levels > MEAN


def test_what_is_wanted_has_the_frequencies_of_the_bands():
    rng = np.random.default_rng(0)
    wanted = np.array([wanted_overlap(rng) for _ in range(4000)])
    for often, low, high in BANDS:
        assert ((wanted >= low) & (wanted <= high)).mean() == pytest.approx(often, abs=0.03)
    assert sum(often for often, _, _ in BANDS) == pytest.approx(1)
    # No band reaches over one of the paper's levels: what is wanted says on which side of each a picture is to be.
    assert all((low > level) == (high > level) for _, low, high in BANDS for level in OCPOSE)


def test_two_poles_are_seen_with_the_overlap_that_was_wanted():
    """Side by side, two can be seen with any overlap, by walking around them."""
    pole = np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.2, 0.2) for z in (0, 1.7)])
    skins = pole + [0, 0.3, 0], pole - [0, 0.3, 0]
    found = []
    for seed in range(60):
        place = view_of(skins, np.random.default_rng(seed))
        wanted = wanted_overlap(np.random.default_rng(seed))
        found.append(abs(overlap_in(place, skins) - wanted))
        pixels = np.concatenate([place.project(skin) for skin in skins])
        assert np.isfinite(pixels).all()
    assert np.mean(np.array(found) < 0.08) > 0.6
