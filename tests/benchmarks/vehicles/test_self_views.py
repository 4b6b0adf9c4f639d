"""Rendered vehicles whose other views are read off detected keypoints alone."""

import pytest
import torch

from benchmarks.vehicles.self_views import with_detected_views
from models.geometry.view_sets import POINTS
from models.occlusion_net import OcclusionNetSettings
from models.occlusion_net.data import CAR_RENDER, RenderedViews
from models.occlusion_net.network import OcclusionNet
from models.occlusion_net.stack import collect
from models.occlusion_net.trifocal import transfer
from models.synthetic.car_views import read_views
from models.synthetic.plans import CarViewSettings, view_jobs


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """Eight crops as perfect heatmaps would read what is visible, with hidden points at their twins."""
    folder = tmp_path_factory.mktemp("car_views")
    # Of the plain fleet, whose basis ships: poses are read off with it.
    few = CarViewSettings(2, 1, 1, 1, views=4, per_shard=5, fleet="plain")
    for render, jobs in view_jobs(few, folder):
        for job in (job for job in jobs if job.split == "train"):
            render(job)
    samples = RenderedViews(read_views(folder / "train"), 5, CAR_RENDER, each=True)
    read = collect(OcclusionNet(OcclusionNetSettings(width=8, hidden=32)), samples, len(samples))
    visible = read["state"] == 0
    twins = read["xy"][:, torch.arange(POINTS) ^ 1]
    return read | {
        "heat_xy": torch.where(visible[..., None], read["xy"], twins),
        "confidence": torch.where(visible, 0.9, 0.3),
    }


def test_views_by_detected_keypoints_find_hidden_points_and_mirrors_help(cached):
    counts = []
    for mirrors in (False, True):
        found = with_detected_views(cached, cached["state"] == 0, mirrors=mirrors)
        target, weight = transfer(found["cameras"], found["other_xy"], found["other_visible"])
        hidden = (found["state"] > 0) & (weight > 0.05)
        counts.append(int(hidden.sum()))
        away = (target.float() - found["xy"])[hidden].norm(dim=-1)
        assert away.median() < 0.1  # half boxes
    assert 0 < counts[0] < counts[1]


def test_views_take_nothing_from_the_truth(cached):
    blind = dict(cached)
    for name in ("xy", "state", "R", "t", "points", "cameras", "other_xy"):
        blind[name] = torch.zeros_like(cached[name])
    first, second = (with_detected_views(c, cached["state"] == 0, mirrors=True) for c in (cached, blind))
    for name in ("cameras", "other_xy", "other_visible"):
        assert torch.equal(first[name], second[name])
