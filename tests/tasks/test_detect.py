import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from house import clean_environment
from luigi.task_register import Register
from mm_scene import write_config

from models.mm.configs import build_network, read_config
from models.mm.digests import write_record
from pipeline.core.storage import sha256_of
from pipeline.detection import DetectionSettings
from pipeline.detection.motion import MotionSettings
from pipeline.detection.onnx import OnnxSettings
from tasks.common.camera_task import camera_entry
from tasks.common.configuration import HOME
from tasks.detect import DetectObjects
from tasks.learn.weights import FetchWeights
from tasks.track import EmptyStreet

SWIN = "mask-rcnn_swin-t-p4-w7_fpn_1x_coco"


@pytest.fixture
def settings(house):
    """What DetectObjects makes of luigi.cfg's keys and the manifest's."""

    def configured(configuration=None, **manifest):
        house.video(**manifest)
        camera_entry.cache_clear()
        Register.clear_instance_cache()
        return DetectObjects(
            camera="gate", manifests=str(house.manifests), data_root=str(house.data), **configuration or {}
        ).settings

    return configured


def test_the_manifest_names_its_detector_and_its_settings(settings, house):
    choice = {"backend": "onnx", "model": "nets/a.onnx", "min_score": 1}
    found = settings({"onnx_nms_iou": 0.4, "onnx_min_score": 0.2}, detector=choice, classes=["person"])
    expected = OnnxSettings(str((house.manifests / "nets/a.onnx").resolve()), min_score=1, nms_iou=0.4)
    assert found == DetectionSettings("onnx", "person", 0.0, expected)


@pytest.mark.parametrize(("detector", "metric"), [({"backend": "motion"}, True), ({"backend": "onnx"}, False)])
def test_detections_hang_on_the_calibration_only_where_the_detector_measures_in_metres(house, detector, metric):
    (house.folder / "seg.onnx").touch()
    detector = detector if metric else detector | {"model": str(house.folder / "seg.onnx")}
    seen = []
    for height in (6.0, 7.0):
        house.video(detector=detector, calibration={"focal_px": 130, "tilt_deg": 25, "height_m": height})
        camera_entry.cache_clear()
        Register.clear_instance_cache()
        task = DetectObjects(camera="gate", manifests=str(house.manifests), data_root=str(house.data))
        seen.append(task.depends_on())
    assert (seen[0] != seen[1]) == metric == ("calibration" in seen[0])


def test_without_a_detector_in_the_manifest_luigi_cfgs_holds(settings):
    found = settings({"detector": "onnx", "categories": "vehicle", "onnx_model": "weights/b.onnx"})
    assert found == DetectionSettings("onnx", "vehicle", 0.0, OnnxSettings(str(HOME / "weights/b.onnx")))
    assert settings() == DetectionSettings("motion", "person,vehicle", 0.0, MotionSettings())


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        ({"backend": "magic"}, r"gate\.yaml: detector\.backend: expected one of coco, .*onnx.*, got 'magic'"),
        (
            {"backend": "onnx", "modell": "x"},
            r"gate\.yaml: detector\.modell: unknown setting; expected backend or one of model, min_score,",
        ),
        ({"backend": "onnx", "min_score": "high"}, r"detector\.min_score: expected float, got 'high'"),
        ({"backend": "motion", "min_area_px": 3.5}, r"detector\.min_area_px: expected int, got 3\.5"),
        ({"backend": "motion", "min_height_m": True}, r"detector\.min_height_m: expected float, got True"),
    ],
)
def test_a_mistake_in_the_detectors_settings_is_named(settings, detector, message):
    with pytest.raises(ValueError, match=message):
        settings(detector=detector)


def test_mmdets_config_is_a_name_of_the_zoo_or_a_file(settings, house):
    (house.manifests / "a.pth").touch()
    for config, found in ((SWIN, SWIN), ("nets/mine.py", str((house.manifests / "nets/mine.py").resolve()))):
        own = settings(detector={"backend": "mmdet", "config": config, "checkpoint": "a.pth"}).options
        assert own.config == found and own.checkpoint == str((house.manifests / "a.pth").resolve())


def test_without_a_checkpoint_mmdet_takes_the_zoos_own(settings, house):
    weights = house.data / "weights"
    with pytest.raises(
        ValueError, match=rf"no weights at {weights}/mask_rcnn_swin-t.*; run `make weights MODEL={SWIN}`"
    ):
        settings(detector={"backend": "mmdet", "config": SWIN})
    file = weights / "mask_rcnn_swin-t-p4-w7_fpn_1x_coco_20210902_120937-9d6b7cfa.pth"
    weights.mkdir(parents=True)
    file.touch()
    assert settings(detector={"backend": "mmdet", "config": SWIN}).options.checkpoint == str(file)
    with pytest.raises(ValueError, match=r"checkpoint: expected the weights of /nets/mine\.py, got none"):
        settings(detector={"backend": "mmdet", "config": "/nets/mine.py"})


def test_other_weights_or_another_config_make_other_detections(house):
    (house.manifests / "mine.py").write_text("model = dict(type='RTMDet')")
    (house.manifests / "mine.pth").write_bytes(b"1")
    video = house.video()
    choice = {"backend": "mmdet", "config": "mine.py", "checkpoint": "mine.pth"}

    def fingerprint(**more):
        source = {"kind": "video", "path": str(video), "start": "2025-06-03T07:59:58"}
        house.camera("gate", source, detector=choice | more)
        camera_entry.cache_clear()
        Register.clear_instance_cache()
        return DetectObjects(camera="gate", manifests=str(house.manifests), data_root=str(house.data)).fingerprint

    first = fingerprint()
    assert fingerprint(batch=2, device="cpu", threads=2) == first
    other = fingerprint(min_score=0.5)
    (house.manifests / "mine.pth").write_bytes(b"22")
    second = fingerprint()
    (house.manifests / "mine.py").write_text("model = dict(type='MaskRCNN')")
    assert len({first, other, second, fingerprint()}) == 4


def test_mmdet_runs_in_processes_of_its_own(house):
    config, checkpoint = write_config(house.manifests), house.manifests / "small.pth"
    torch.manual_seed(0)
    torch.save({"state_dict": build_network(read_config(config)).state_dict()}, checkpoint)
    choice = {"backend": "mmdet", "config": config.name, "checkpoint": "small.pth", "min_score": 0.0, "min_area_px": 1}
    house.video(count=6, detector=choice)
    code, _, lines = house.luigi("DetectObjects", "--camera", "gate", engine="process")
    assert code == 0, lines
    assert any("detections in 6 frames" in line for line in lines) and not any("Warning" in line for line in lines)
    table = pq.read_table(house.data / "gate/detections")
    assert set(table["frame_id"].to_pylist()) == set(range(6))


def test_missing_weights_are_told_before_anything_runs(house):
    house.video(detector={"backend": "mmdet"})
    code, _, lines = house.luigi("GenerateClipArt", "--camera", "gate")
    assert code != 0 and not (house.data / "gate/frames").exists()
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert "run `make weights MODEL=rtmdet-ins_tiny_8xb32-300e_coco`" in error


def test_offline_the_weights_urls_and_places_are_told(house):
    where = ["FetchWeights", "--models", f"{SWIN},rtmpose-s_8xb256-420e_body8-256x192", "--data-root", str(house.data)]
    command = [str(Path(sys.executable).parent / "luigi"), "--module", "tasks", *where]
    closed = "http://127.0.0.1:9"
    done = subprocess.run(
        command,
        env=clean_environment() | {"https_proxy": closed, "HTTPS_PROXY": closed},
        capture_output=True,
        text=True,
    )
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode != 0 and "Traceback" not in done.stderr
    for text in (
        "https://download.openmmlab.com/",
        f"put it at {house.data}/weights/mask_rcnn_swin",
        "weights/rtmpose-s",
    ):
        assert text in error
    assert not list((house.data / "weights").iterdir())


def test_weights_put_there_by_hand_are_those_of_the_zoo_or_refused(house):
    (house.data / "weights").mkdir(parents=True)
    task = FetchWeights(models=SWIN, data_root=str(house.data))
    file = Path(task.output()[0].path)
    file.write_bytes(b"not those")
    assert not task.complete()
    with pytest.raises(ValueError, match=rf"{file.name}; remove it: it is not the published file"):
        task.run()
    write_record(file, sha256_of(file))  # as if it had been the one
    assert task.complete()
    file.write_bytes(b"changed")
    assert not task.complete()


def test_another_detector_than_the_frames_may_look_at_the_backgrounds(house):
    house.video(ignore=[])

    def task(**configuration):
        Register.clear_instance_cache()
        where = {"camera": "gate", "manifests": str(house.manifests), "data_root": str(house.data)}
        return EmptyStreet(**where, **configuration)

    plain = task()
    assert plain.looks == plain.clone(DetectObjects).settings
    looking = task(detector="onnx", onnx_model="weights/b.onnx")
    assert looking.looks == DetectionSettings("onnx", "person,vehicle", 0.0, OnnxSettings(str(HOME / "weights/b.onnx")))
    assert looking.clone(DetectObjects).fingerprint == plain.clone(DetectObjects).fingerprint
    assert looking.fingerprint != plain.fingerprint
    with pytest.raises(ValueError, match=r"\[EmptyStreet\] detector: motion needs camera, plane, backgrounds"):
        task(detector="motion")
