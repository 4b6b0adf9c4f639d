"""Rendered streets as clip-art."""

from contract_cases import Case
from rendered_streets import street, write_shards

from models.contract import Given
from models.detector import DetectorSettings, DetectorTraining, WindowSettings


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    return Case(
        DetectorSettings(width=0.125, channels=16),
        Given(shards=write_shards(tmp_path_factory.mktemp("clipart"), 20)),
        [street(1)[0], street(2)[0]],
        identities=lambda pictures: pictures.scenes,
        shows=lambda predictor: predictor.detector.model.backbone.stage1[0].conv.weight.numpy(force=True),
        training=DetectorTraining(
            batch=2, steps=2, warmup=1, workers=0, threads=1, bfloat16=False, window=WindowSettings(side_px=64)
        ),
    )
