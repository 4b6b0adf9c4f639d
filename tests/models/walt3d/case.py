"""Streets of projected cars and flat people."""

from composed_streets import composed, write_composed
from contract_cases import Case
from small_walt3d import SMALL

from models.contract import Given


def case(tmp_path_factory):
    """See `contract_cases.Case`."""
    return Case(
        SMALL,
        Given(shards=write_composed(tmp_path_factory.mktemp("clipart"), 20)),
        [composed(1)[0], composed(2)[0]],
        identities=lambda windows: windows.scenes,
        shows=lambda predictor: predictor.network.heads.box_head.classes.weight.numpy(force=True),
        batch=2,
        steps=100,
        lr=3e-3,
        overfit=0.6,
    )
