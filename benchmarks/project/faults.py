"""The faults of `benchmarks.mutants`: what to write in place of what, and the tests that must notice.

A fault replaces one fragment of one file, which must stand there exactly once: who rewrites the place rewrites the
fault with it. Fragments are as short as they can be, so that this happens seldom.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A fault: its name, about, what is wrong, the file it is in, the fragment that is `there` and the
    `wrong` one, and tests, a file or one test of it, that must fail. quick: it is tried in a quick run."""

    name: str
    about: str
    path: str
    there: str
    wrong: str
    tests: str
    quick: bool = False

    @property
    def module(self) -> str:
        """The name under which the file is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def applied(self, text: str) -> str:
        """The file's text with the fault. Raises ValueError unless the fragment is there exactly once."""
        count = text.count(self.there)
        if count != 1:
            raise ValueError(
                f"fault {self.name}: {self.path}: expected {self.there!r} once, found it {count} times; "
                "give the fault in benchmarks/project/faults.py the fragment that now stands there"
            )
        return text.replace(self.there, self.wrong)


_SHARDS, _TEST_SHARDS = "pipeline/composition/shards.py", "tests/pipeline/composition/test_shards.py"
_TEST_LOOKS = "tests/pipeline/empty_street/test_looks.py"

# What a shard says of its scenes.
_OF_SHARDS = (
    Fault("painted_near_to_far", "the nearest object is painted first", _SHARDS,
          "sprites[::-1], shades(things)[::-1])", "sprites, shades(things))", _TEST_SHARDS),
    Fault("plane_below", "the ground plane's normal points down", _SHARDS,
          "*job.plane.n.tolist()", "*(-job.plane.n).tolist()", _TEST_SHARDS),
    Fault("K_transposed", "a scene's K is transposed", _SHARDS,
          "job.camera.K.ravel()", "job.camera.K.T.ravel()", _TEST_SHARDS, quick=True),
    Fault("oldest_timestamp", "a scene has the time of its oldest cutout", _SHARDS,
          "timestamps[rows].max()", "timestamps[rows].min()", _TEST_SHARDS),
    Fault("next_seed", "a scene's seed is one too high", _SHARDS,
          '"seed": job.seed', '"seed": job.seed + 1', _TEST_SHARDS),
    Fault("frame_of_track", "source_frame is the track's number", "pipeline/composition/shard_files.py",
          'known["frame_id"]', 'known["track_id"]', _TEST_SHARDS),
    Fault("keypoints_rolled", "each keypoint is looked up where its neighbour lies", _SHARDS,
          "np.concatenate(points)", "np.roll(np.concatenate(points), 1, axis=0)", _TEST_SHARDS),
    Fault("occluders_off_by_one", "occluder_ids name the next object", "pipeline/composition/shard_files.py",
          "sorted(size - k for", "sorted(size - k + 1 for", _TEST_SHARDS),
    Fault("empty_street", "a scene's picture is the empty background", _SHARDS,
          "scene_jpeg(picture, job", "scene_jpeg(source.empty_frame(bucket, noise), job", _TEST_SHARDS),
    Fault("rgb_for_bgr", "a scene's picture has red and blue exchanged", _SHARDS,
          'colorspace="BGR"', 'colorspace="RGB"', _TEST_SHARDS),
    Fault("farther_in_front", "of two footprints on a ray the farther one is in front",
          "pipeline/composition/depth_order.py", "result[shared] = np.sign(", "result[shared] = -np.sign(",
          "tests/pipeline/composition/test_depth_order.py"),
    Fault("track_in_both_splits", "a track that crosses the cut is kept on both sides",
          "pipeline/composition/pool.py", "np.where(crossing, NEITHER, np.where(late, VAL, TRAIN))",
          "np.where(late, VAL, TRAIN)", "tests/pipeline/composition/test_pool.py", quick=True),
    Fault("visible_for_amodal", "the export writes visible masks for whole objects", "pipeline/export/coco.py",
          'row[f"mask_{kind}_rle"]', 'row["mask_visible_rle"]', "tests/pipeline/export/test_coco.py"),
)  # fmt: skip

# How scenes' parts are found in frames.
_OF_STAGES = (
    Fault("queue_is_the_street", "the look that suits a place least is taken for the street",
          "pipeline/empty_street/looks.py", "best = cost.argmin(axis=0)", "best = cost.argmax(axis=0)", _TEST_LOOKS),
    Fault("own_light", "looks of another bucket are compared under their own light",
          "pipeline/empty_street/looks.py", "[(slice(None), *place)] + gain[place]", "[(slice(None), *place)]",
          _TEST_LOOKS),
    Fault("found_is_street", "what detectors find is taken for the street as well",
          "pipeline/empty_street/looks.py", "+ _COVERED * found", "- _COVERED * found", _TEST_LOOKS),
    Fault("mean_for_median", "the background is the frames' mean", "pipeline/background/median.py",
          "return median(lambda: kept, len(kept))", "return np.mean(kept, axis=0).astype(np.uint8)",
          "tests/pipeline/background/test_median.py", quick=True),
    Fault("suppression_inverted", "boxes are suppressed where they overlap little", "pipeline/detection/onnx.py",
          "settings.min_score, self.settings.nms_iou", "settings.min_score, 1 - self.settings.nms_iou",
          "tests/pipeline/detection/test_onnx.py"),
    Fault("overlap_inverted", "tracks go on where boxes overlap little", "pipeline/tracking/kalman.py",
          "minimum_iou_threshold=settings.min_iou,\n", "minimum_iou_threshold=1 - settings.min_iou,\n",
          "tests/pipeline/tracking/test_track.py"),
    Fault("truncated_accepted", "what touches the border is accepted", "pipeline/mining/filter.py",
          '"border", truncated)', '"border", truncated & False)', "tests/pipeline/mining/test_filter.py"),
    Fault("nearer_is_occluded", "the nearer of two is taken for the occluded one", "pipeline/mining/occlusion.py",
          "bottom[pairs[:, 1]] > bottom[pairs[:, 0]] - 2", "bottom[pairs[:, 1]] < bottom[pairs[:, 0]] + 2",
          "tests/pipeline/mining/test_filter.py"),
    Fault("drives_backwards", "headings point against the motion", "pipeline/reconstruction/headings.py",
          "np.arctan2(velocity[tells, 1], velocity[tells, 0])", "np.arctan2(-velocity[tells, 1], -velocity[tells, 0])",
          "tests/pipeline/reconstruction/test_headings.py"),
    Fault("left_for_right_in_people", "left and right of the typical person change places",
          "pipeline/reconstruction/shape_priors.py", "if y == 0 else (1, -1)", "if y == 0 else (-1, 1)",
          "tests/pipeline/reconstruction/test_shape_priors.py", quick=True),
    Fault("ground_above", "the world lies as far above the camera as it should below", "calibration/camera.py",
          "self.R_cam_world.T - self.d * self.n", "self.R_cam_world.T + self.d * self.n",
          "tests/calibration/test_camera.py"),
    Fault("half_pixel", "edges are taken for pixel centres", "calibration/camera.py",
          "np.asarray(xy_edge, float) - 0.5", "np.asarray(xy_edge, float)", "tests/models/test_crops.py"),
    Fault("union_counted_twice", "an IoU's union counts the shared part twice", "pipeline/core/boxes.py",
          ".prod(axis=-1) - both, 1e-9)", ".prod(axis=-1), 1e-9)", "tests/pipeline/core/test_boxes.py", quick=True),
    Fault("left_stays_left", "the mirror image of a vehicle keeps its sides", "pipeline/core/skeletons.py",
          "flip=tuple(k ^ 1 for", "flip=tuple(k for", "tests/pipeline/core/test_skeletons.py", quick=True),
)  # fmt: skip

_CONTRACT = "tests/models/test_contract.py"

# What networks learn, and from what. Of slow files one test.
_OF_NETWORKS = (
    Fault("learns_validation", "training reads scenes of every split", "models/scenes/shards.py",
          'if one["split"] == split]', 'if one["split"]]', "tests/models/detector/test_pictures.py"),
    Fault("steps_on_validation", "training takes its steps on validation samples", "models/train.py",
          "_batches(recipe.data.train,", "_batches(recipe.data.val,",
          f"{_CONTRACT}::test_training_reads_no_validation_sample_for_a_step[matting]"),
    Fault("weights_not_loaded", "a predictor keeps its random weights", "models/checkpoints.py",
          "    load_into(network, state, path)\n    return network\n", "    return network\n",
          f"{_CONTRACT}::test_what_is_saved_is_what_is_loaded[occlusion_classifier]"),
    Fault("resumed_without_weights", "a resumed run goes on from random weights", "models/train.py",
          '        now.network.load_state_dict(state["network"])\n', "",
          "tests/models/test_train.py::test_a_run_that_was_stopped_ends_with_the_bytes_of_an_undisturbed_one[float32]"),
    Fault("quaternion_sign", "one sign of a quaternion's rotation is wrong", "models/geometry/rotations.py",
          "2 * (x * y - w * z)", "2 * (x * y + w * z)",
          "tests/models/geometry/test_rotations.py::test_round_trips_of_quaternions_and_six_numbers"),
    Fault("dice_not_learnt", "the masks' Dice loss has no gradient", "models/matting/network.py",
          "0.5 * dice.mean()", "0.5 * dice.detach().mean()",
          f"{_CONTRACT}::test_one_batch_is_learnt_by_heart[matting]"),
    Fault("area_inverted", "an area under a ROC curve is one minus it", "models/metrics/hidden_keypoints.py",
          "np.argsort(-score", "np.argsort(score", "tests/models/metrics/test_hidden_keypoints.py"),
    Fault("always_precise", "precision ignores false positives", "models/occlusion_classifier/evaluate.py",
          "hits / (last + 1)", "hits / np.maximum(hits, 1)", "tests/models/occlusion_classifier/test_evaluate.py"),
)  # fmt: skip

# What measures the results.
_OF_BENCHMARKS = (
    Fault("half_hidden_is_clean", "mining's truth calls half-hidden objects whole", "benchmarks/common/truth.py",
          "UNOCCLUDED_FRACTION = 0.98", "UNOCCLUDED_FRACTION = 0.4", "tests/benchmarks/mining/test_mining_truth.py"),
    Fault("every_order_right", "every pair of a scene counts as in its true order",
          "benchmarks/composition/composition_truth.py", 'counts["right"] += right', 'counts["right"] += 1',
          "tests/benchmarks/composition/test_composition_truth.py"),
    Fault("never_flipped", "no vehicle counts as facing backwards", "benchmarks/vehicles/vehicles_truth.py",
          '"flipped": turn > 90}', '"flipped": turn > 180}', "tests/benchmarks/vehicles/test_vehicles_truth.py"),
    Fault("strangers_forgiven", "tracks count only on frames that show somebody",
          "benchmarks/perception/real_metrics.py", '{*truth["frame"], *tracks["frame"]}', '{*truth["frame"]}',
          "tests/benchmarks/perception/test_real_metrics.py"),
)  # fmt: skip

FAULTS = (*_OF_SHARDS, *_OF_STAGES, *_OF_NETWORKS, *_OF_BENCHMARKS)
