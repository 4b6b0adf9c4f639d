import numpy as np
import pytest

from models.people_groups.couples import motions, rare_motions
from models.people_groups.couples.contact import depth_between, gap, skin_scene
from models.people_groups.couples.meetings import Chance, Meeting, standing
from models.people_groups.couples.plan import SPLITS
from models.people_groups.couples.sample import bodies_of, sample_couple
from models.people_groups.couples.solve import DEEPEST_M, brought_together
from models.synthetic.people_shards import BODIES
from pipeline.simulate.people.person import dress


@pytest.mark.parametrize("split, seed", [("train", 1), ("val", 2), ("test", 3), ("unseen", 4)])
def test_a_couple_touches_and_does_not_pass_through_itself(split, seed):
    """Measured again on the skins, whatever the couple says of itself."""
    sampled = sample_couple(split, np.random.default_rng(seed))
    first, second = sampled.couple.figures
    assert depth_between(first, second) == pytest.approx(sampled.couple.depth_m) and sampled.couple.depth_m <= DEEPEST_M
    assert sampled.motion == "queue" or gap(second, skin_scene(first)) <= 0.06
    rows = bodies_of(split)[1]
    assert all(int(name.split("/")[1]) in rows for name in sampled.identities)


def test_the_same_seed_gives_the_same_couple():
    one, two = (sample_couple("train", np.random.default_rng(7)) for _ in range(2))
    assert one.motion == two.motion and one.identities == two.identities
    for mine, theirs in zip(one.couple.figures, two.couple.figures, strict=True):
        assert (mine.G == theirs.G).all() and (mine.t == theirs.t).all()


def test_splits_share_no_body_and_no_motion():
    files = {split: {(path, int(row)) for row in rows} for split in SPLITS for path, rows in [bodies_of(split)]}
    assert all(not files[a] & files[b] for a in SPLITS for b in SPLITS if a != b)
    assert not {m.__name__ for m in motions.TRAIN} & {m.__name__ for m in rare_motions.UNSEEN}
    for kinds in (motions.TRAIN, rare_motions.UNSEEN):
        assert sum(kinds.values()) == pytest.approx(1)


def test_two_in_one_place_are_refused():
    """Who stands where the other stands, and may not step aside but by being pushed, cannot meet so in a few steps."""
    rng = np.random.default_rng(0)
    chance = Chance(rng, (0.1, 0.1))
    people = dress(3, BODIES, rng), dress(8, BODIES, rng)
    apart = Meeting((standing(chance, 0), standing(chance, 1)), (3.0, 0, 0))
    assert brought_together(people, apart) is not None
    needs_touch = Meeting(apart.angles, apart.at, clasps=motions.hand_in_hand(chance).clasps)
    assert brought_together(people, needs_touch) is None
