"""Where the packages are, and on what networks run."""

import pytest
import torch
from mmcv.ops import get_compiling_cuda_version

from models.mm import check_operators, package_folder, pick_device, require


def test_a_package_that_is_not_there_names_the_command():
    with pytest.raises(ValueError, match=r"^mmsomething is not installed; run `make setup-mm`$"):
        package_folder("mmsomething")


@pytest.mark.parametrize("which", ["mmdet", "mmpose"])
def test_what_is_installed_is_found_and_registered(which):
    require(which)
    assert (package_folder(which) / ".mim" / "configs").is_dir()


def test_auto_is_cuda_where_there_is_one():
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["toaster", "cuda:99", ""])
def test_other_devices_are_told(name):
    with pytest.raises(ValueError, match=r"^device: "):
        pick_device(name)


def test_operators_without_cuda_run_on_the_cpu_alone():
    check_operators(torch.device("cpu"))
    if get_compiling_cuda_version() == "not available":
        with pytest.raises(ValueError, match="built without CUDA; set device to cpu, or build them again"):
            check_operators(torch.device("cuda"))
    else:
        check_operators(torch.device("cuda"))
