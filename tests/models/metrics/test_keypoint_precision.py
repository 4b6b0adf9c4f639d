import io
from contextlib import redirect_stdout

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.metrics.keypoint_precision import keypoint_precision, keypoint_similarity
from pipeline.core.skeletons import COCO_17


def scattered(seed, pictures=10):
    """People's keypoints, some not labelled, and detections more or less off."""
    rng, truth, results = np.random.default_rng(seed), [], []
    for number in range(1, pictures + 1):
        for _ in range(rng.integers(1, 4)):
            x, y, w, h = rng.uniform(0, 200), rng.uniform(0, 200), rng.uniform(40, 90), rng.uniform(90, 200)
            xy = rng.uniform(size=(17, 2)) * (w, h) + (x, y)
            v = rng.integers(0, 3, 17)
            truth.append({"id": len(truth) + 1, "image_id": number, "category_id": 1, "iscrowd": 0, "area": w * h,
                          "bbox": [x, y, w, h], "num_keypoints": int((v > 0).sum()),
                          "keypoints": np.column_stack([xy, v]).ravel().tolist()})  # fmt: skip
            off = xy + rng.normal(0, rng.uniform(0.5, 12), xy.shape)
            results.append({"image_id": number, "category_id": 1, "score": float(rng.uniform()),
                            "keypoints": np.column_stack([off, np.ones(17)]).ravel().tolist()})  # fmt: skip
    return truth, results


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_pycocotools_own_precision(seed):
    truth, results = scattered(seed)
    with redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": [{"id": n} for n in range(1, 11)], "categories": [{"id": 1, "name": "person"}],
                        "annotations": truth, "info": {}}  # fmt: skip
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(results), "keypoints")
        run.params.kpt_oks_sigmas = np.array(COCO_17.sigmas)
        run.evaluate(), run.accumulate(), run.summarize()
    similarity, scores, asked = [], [], []
    for number in range(1, 11):
        mine, seen = ([o for o in part if o["image_id"] == number] for part in (truth, results))
        true, found = (np.array([o["keypoints"] for o in part]).reshape(-1, 17, 3) for part in (mine, seen))
        area, chosen = np.array([o["area"] for o in mine]), true[..., 2] > 0
        similarity.append(keypoint_similarity(found[..., :2], true[..., :2], chosen, area, COCO_17))
        scores.append(np.array([o["score"] for o in seen]))
        asked.append(chosen.any(axis=1))
    ours = keypoint_precision(similarity, scores, asked)
    assert np.allclose([ours["AP"], ours["AP50"], ours["AP75"]], run.stats[:3], atol=1e-9)
    alone = run.eval["precision"][:, :, 0, 0, 0].mean(axis=1)
    assert np.allclose([ours["AP80"], ours["AP90"]], alone[[6, 8]], atol=1e-9)


def test_similarity_worked_by_hand():
    """All keypoints off by as much as makes exp(-1/2) of the nose; of one that is not asked about it is nothing."""
    area = np.array([10_000.0])
    true, chosen = np.zeros((1, 17, 2)), np.zeros((1, 17), bool)
    chosen[0, 0] = True
    off = true + (2 * COCO_17.sigmas[0] * 100, 0)
    assert keypoint_similarity(off, true, chosen, area, COCO_17)[0, 0] == pytest.approx(np.exp(-0.5))
    assert keypoint_similarity(off, true, ~chosen & False, area, COCO_17)[0, 0] == 0
    assert np.isnan(keypoint_precision([np.zeros((1, 0))], [np.ones(1)], [np.zeros(0, bool)])["AP"])
