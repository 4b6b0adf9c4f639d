import dataclasses

import pytest

from data_manifest import load_camera
from pipeline.detection import DetectionSettings
from tasks.configuration import REPOSITORY
from tasks.detect import merged


@pytest.fixture
def entry(house):
    def load(**more):
        house.video(**more)
        return load_camera("gate", house.manifests)

    return load


def test_the_manifest_names_its_detector_and_its_settings(entry, house):
    (house.manifests / "nets").mkdir()
    settings = merged(
        DetectionSettings(),
        entry(detector={"backend": "onnx", "model": "nets/a.onnx", "min_score": 1}, classes=["person"]),
    )
    assert settings.detector == "onnx"
    assert settings.onnx.model == str((house.manifests / "nets/a.onnx").resolve())
    assert settings.onnx.min_score == 1
    assert settings.kept == {"person"}
    assert settings.motion == DetectionSettings().motion


def test_without_a_detector_in_the_manifest_luigi_cfgs_holds(entry):
    onnx = dataclasses.replace(DetectionSettings().onnx, model="weights/b.onnx")
    settings = merged(DetectionSettings(detector="onnx", categories="vehicle", onnx=onnx), entry())
    assert settings.onnx.model == str(REPOSITORY / "weights/b.onnx")
    assert settings.kept == {"vehicle"}
    assert merged(DetectionSettings(), entry()) == DetectionSettings(categories="person,vehicle")


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (
            {"backend": "onnx", "modell": "x"},
            r"gate\.yaml: detector\.modell: unknown setting; expected backend or one of",
        ),
        ({"backend": "onnx", "min_score": "high"}, r"detector\.min_score: expected float, got 'high'"),
        ({"backend": "motion", "min_area_px": 3.5}, r"detector\.min_area_px: expected int, got 3\.5"),
        ({"backend": "motion", "min_height_m": True}, r"detector\.min_height_m: expected float, got True"),
    ],
)
def test_a_mistake_in_the_detectors_settings_is_named(entry, detector, message):
    with pytest.raises(ValueError, match=message):
        merged(DetectionSettings(), entry(detector=detector))
