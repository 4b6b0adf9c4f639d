import numpy as np
import pytest
from composed_streets import write_composed

from models.people_groups.composed import read_composed
from models.people_groups.picture import NOBODY, OCCLUDED
from models.scenes.shards import objects_of, scenes_of
from pipeline.core import masks
from pipeline.core.skeletons import COCO_17


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_composed(tmp_path_factory.mktemp("cam") / "clipart", 12, people=4)


def test_people_are_those_of_the_scenes_with_what_hides_them(folder):
    pictures = read_composed(folder, "train")
    seen = 0
    for picture in pictures:
        assert picture.skeleton == COCO_17 and picture.image().shape == (*picture.size_hw, 3)
        part, _, scene = next(p for p in scenes_of(folder, "train") if picture.name.endswith(p[2]))
        columns = ("scene_id", "category", "mask_visible_rle", "keypoints_2d", "bbox_amodal_xywh")
        rows = [row for row in objects_of(part, columns)[scene] if row["category"] == "person"]
        assert len(rows) == len(picture.people) >= 2
        for row, person in zip(rows, picture.people, strict=True):
            assert np.allclose(person.xy, np.reshape(row["keypoints_2d"], (-1, 2)), equal_nan=True)
            assert np.allclose(person.box_xywh, row["bbox_amodal_xywh"])
            assert (person.hidden_by[person.state != OCCLUDED] == NOBODY).all()
            for k in np.flatnonzero(person.hidden_by >= 0):
                x, y = np.floor(person.xy[k] + 0.5).astype(int)
                assert masks.full(rows[person.hidden_by[k]]["mask_visible_rle"], picture.size_hw)[y, x]
                seen += 1
    assert seen > 0


def test_too_few_people_are_refused_in_a_line(folder):
    with pytest.raises(ValueError, match="expected scenes of 9 people or more in split train, got none"):
        read_composed(folder, "train", at_least=9)
