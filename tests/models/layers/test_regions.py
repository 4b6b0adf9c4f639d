import numpy as np
import pytest
import torch
from chance import examples
from hypothesis import given
from hypothesis import strategies as st

from models.layers.regions import box_overlaps, distinct, grown, paste, sample_rasters


def test_a_raster_seen_in_its_own_box_is_itself_and_nothing_lies_beyond():
    raster = torch.rand(2, 3, 8, 8)
    boxes = torch.tensor([[10.0, 20, 50, 40], [-5, -5, 3, 11]])
    assert torch.allclose(sample_rasters(raster, boxes, boxes, 8), raster, atol=1e-5)
    beside = boxes + 2 * (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    assert sample_rasters(raster, boxes, beside, 8).abs().max() == 0


@examples(40)
@given(seed=st.integers(0, 10_000))
def test_what_is_sampled_and_pasted_back_is_the_mask(seed):
    """A rectangle in a box that may leave the picture: to a cell of the map."""
    rng, size = np.random.default_rng(seed), (60, 80)
    low = rng.uniform(-10, 40, 2)
    box = np.concatenate([low, low + rng.uniform(12, 40, 2)])
    raster = np.zeros((56, 56), np.float32)
    raster[14:42, 14:42] = 1
    region = grown(torch.tensor(box[None]), 1.3)
    seen = sample_rasters(torch.tensor(raster)[None, None].double(), torch.tensor(box[None]), region, 56)
    found = paste(seen[0, 0].numpy(), region[0].numpy(), size)
    inner = np.concatenate([box[:2] + (box[2:] - box[:2]) / 4, box[2:] - (box[2:] - box[:2]) / 4])
    clipped = np.clip(inner, 0, [size[1], size[0]] * 2)
    if found is None:
        assert (clipped[2:] - clipped[:2]).min() < 1.1
        return
    crop, (x, y) = found
    assert np.abs(np.array([x, y, x + crop.shape[1], y + crop.shape[0]]) - clipped).max() < 1.1
    assert np.count_nonzero(~crop) <= 4  # its corners are rounded off


def test_overlaps_are_those_of_boxes():
    one = torch.tensor([[0.0, 0, 10, 10], [0, 0, 20, 10]])
    assert torch.allclose(box_overlaps(one, one), torch.tensor([[1.0, 0.5], [0.5, 1.0]]))


def test_of_what_overlaps_the_best_is_kept_and_what_it_removes_removes_nothing():
    """In a row, each overlapping the next: the first and the third stay."""
    overlap = torch.tensor([[1.0, 0.7, 0.1], [0.7, 1.0, 0.7], [0.1, 0.7, 1.0]])
    assert distinct(torch.tensor([0.5, 0.9, 0.4]), overlap, 0.6).tolist() == [1]
    assert distinct(torch.tensor([0.9, 0.5, 0.4]), overlap, 0.6).tolist() == [0, 2]
    assert distinct(torch.zeros(0), torch.zeros(0, 0), 0.6).tolist() == []


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
def test_grown_boxes_keep_their_middles(factor):
    boxes = torch.tensor([[3.0, 4, 9, 30]])
    larger = grown(boxes, factor)
    assert torch.allclose((larger[:, :2] + larger[:, 2:]) / 2, (boxes[:, :2] + boxes[:, 2:]) / 2)
    assert torch.allclose(larger[:, 2:] - larger[:, :2], factor * (boxes[:, 2:] - boxes[:, :2]))
