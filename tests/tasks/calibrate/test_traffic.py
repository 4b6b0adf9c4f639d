"""A camera from traffic, by the command: found where there is enough of it, and what is not known is said."""

from __future__ import annotations

import pytest
import yaml
from street import write_street

from data_manifest.calibration.found import read_found
from tasks import CalibrateFromTraffic


def test_a_street_of_few_is_calibrated_and_what_it_leaves_open_is_told(house):
    write_street(house.folder / "street.avi")
    house.camera("street", {"kind": "video", "path": "../street.avi", "start": "2025-06-03T12:00:00"})
    manifest = house.manifests / "street.yaml"
    content = yaml.safe_load(manifest.read_text())
    del content["calibration"]
    manifest.write_text(yaml.safe_dump(content))
    code, out, lines = house.luigi("CalibrateFromTraffic", "--camera", "street")
    assert code == 0, lines
    found = read_found(house.data / "street/calibration_from_traffic.yaml")
    assert found.image_size_wh == (480, 360) and found.ground_plane[3] > 0.5
    assert (house.data / "street/calibration_from_traffic.jpg").stat().st_size > 1000
    said = "\n".join([*lines, out])
    assert "the traffic does not tell the" in said and "--distance x1,y1,x2,y2,metres" in said
    assert not list((house.data / "street").glob(".calibrating-*"))


@pytest.mark.parametrize(("distance", "said"), [("1,2,3", "--distance 1,2,3: expected x1,y1,x2,y2,metres")])
def test_what_is_no_distance_is_told_before_anything_is_ingested(house, distance, said):
    house.video()
    with pytest.raises(ValueError, match=said):
        CalibrateFromTraffic(
            camera="gate", manifests=str(house.manifests), data_root=str(house.data), distance=distance
        )
    assert not (house.data / "gate").exists()
