import numpy as np
import pytest

from pipeline.core import skeletons
from pipeline.core.skeletons import (
    COCO_17,
    CROWDPOSE_14,
    OF_CATEGORY,
    OPEC_12,
    PEOPLE_19,
    SMPL_24,
    SMPL_PARENTS,
    VEHICLE_12,
    Skeleton,
)
from pipeline.core.tables import CATEGORY_IDS

ALL = {
    "VEHICLE_12": VEHICLE_12,
    "COCO_17": COCO_17,
    "SMPL_24": SMPL_24,
    "OPEC_12": OPEC_12,
    "CROWDPOSE_14": CROWDPOSE_14,
    "PEOPLE_19": PEOPLE_19,
}


@pytest.mark.parametrize("name", ALL)
def test_a_skeleton_has_the_size_of_its_name_and_is_all_of_one_piece(name):
    skeleton = ALL[name]
    assert len(skeleton) == int(name.split("_")[1])
    assert ALL.keys() == {n for n, value in vars(skeletons).items() if isinstance(value, Skeleton)}
    reached = {0}
    for _ in skeleton.names:
        reached |= {b for a, b in skeleton.links if a in reached} | {a for a, b in skeleton.links if b in reached}
    assert reached == set(range(len(skeleton)))


@pytest.mark.parametrize("skeleton", ALL.values(), ids=ALL)
def test_the_mirror_image_swaps_left_and_right_and_keeps_links_and_sigmas(skeleton):
    for name, k in zip(skeleton.names, skeleton.flip, strict=True):
        other = skeleton.names[k]
        if "left" in name:
            assert other == name.replace("left", "right")
        elif "right" in name:
            assert other == name.replace("right", "left")
        else:
            assert other == name
    links = {frozenset(pair) for pair in skeleton.links}
    assert len(links) == len(skeleton.links)
    assert {frozenset(skeleton.flip[k] for k in pair) for pair in links} == links
    assert np.allclose(np.array(skeleton.sigmas)[list(skeleton.flip)], skeleton.sigmas)


def test_numbers_as_their_sources_print_them():
    # COCO's evaluation, and the annotation format's own list of links, which counts from 1.
    assert np.allclose(
        10 * np.array(COCO_17.sigmas),
        [.26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89],
    )  # fmt: skip
    coco = [
        [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10], [9, 11],
        [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
    ]  # fmt: skip
    assert {frozenset(k + 1 for k in pair) for pair in COCO_17.links} == {frozenset(pair) for pair in coco}
    assert np.allclose(
        10 * np.array(OPEC_12.sigmas), [0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
    )
    opec = "0-1 0-2 2-4 1-3 3-5 0-6 1-7 6-7 6-8 8-10 7-9 9-11"
    assert {f"{min(pair)}-{max(pair)}" for pair in OPEC_12.links} == set(opec.split())
    assert CROWDPOSE_14.sigmas == (*OPEC_12.sigmas, 0.079, 0.079)
    assert SMPL_PARENTS == (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
    assert len(VEHICLE_12.links) == 18


def test_every_category_has_its_keypoints():
    assert OF_CATEGORY.keys() == CATEGORY_IDS.keys()
    assert COCO_17.indices(["left_ear", "nose"]) == [3, 0]
    with pytest.raises(ValueError, match=r"unknown keypoint 'tail'; expected nose, left_eye"):
        COCO_17.indices(["nose", "tail"])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"flip": (1, 0)}, "3 names, 2 flips, 3 sigmas"),
        ({"names": ("a", "b", "b")}, "2 names"),
        ({"sigmas": (0.1,) * 4}, "4 sigmas"),
        ({"links": ((0, 3),)}, "indices 0 to 2"),
        ({"flip": (1, 2, 0)}, "undoes itself"),
    ],
)
def test_one_that_does_not_hold_together_is_refused(broken, message):
    good = {"names": ("a", "b", "c"), "flip": (1, 0, 2), "links": ((0, 1),), "sigmas": (0.1, 0.1, 0.1)}
    assert len(Skeleton(**good)) == 3
    with pytest.raises(ValueError, match=message):
        Skeleton(**{**good, **broken})
