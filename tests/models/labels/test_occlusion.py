"""Human labels: our CSV and CVAT's XML, and what is said of those that cannot be read."""

import cv2
import numpy as np
import pytest
from cards import CARDS, picture, visible_mask
from chance import examples
from hypothesis import given
from hypothesis import strategies as st

from models.labels.occlusion import LABELS, OCCLUDED, crop_of
from models.labels.occlusion_csv import crops_of_csv, csv_of, read_csv
from models.labels.occlusion_cvat import crops_of_cvat
from models.occlusion_classifier.data import labelled_crops, stored
from readers.pictures import decode_image


def write(path, text):
    path.write_text(text)
    return path


HEAD = "frame_id,x,y,w,h,label\n"


def test_a_csv_in_the_cameras_folder_needs_no_other_word(camera_dir, tmp_path):
    text = HEAD + "0,20,30,24,40,unoccluded\n0,90,30,24,40,occluded\n1,90,30,24,40,occluded_by_person\n"
    table = crops_of_csv(write(camera_dir / "mine.csv", text))
    assert table["classes"].to_pylist() == [["unoccluded"], list(OCCLUDED), ["occluded_by_person"]]
    assert table["group"].to_pylist() == [1, 2, 2]
    elsewhere = write(tmp_path / "mine.csv", text)
    assert labelled_crops(elsewhere, camera_dir).equals(table)
    with pytest.raises(FileNotFoundError, match="name the labelled camera's folder with --images"):
        labelled_crops(elsewhere)


def test_a_box_has_the_mask_of_the_detection_there_else_its_own(camera_dir, tmp_path):
    boxes = {"near": (88, 31, 26, 40), "far": (90, 30, 24, 20)}
    text = HEAD + "".join(f"0,{x},{y},{w},{h},occluded\n" for x, y, w, h in boxes.values())
    near, far = stored(crops_of_csv(write(tmp_path / "mine.csv", text), camera_dir))
    image = decode_image((camera_dir / "frames/images/000000.jpg").read_bytes(), "")
    ys, xs = np.nonzero(visible_mask(2))
    seen = visible_mask(2)[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    assert (near == crop_of(image, seen, (90, 30))).all()
    assert (far == crop_of(image, np.ones((20, 24), bool), (90, 30))).all()


@given(st.dictionaries(st.tuples(st.integers(0, 10**6), *[st.integers(1, 10**5).map(lambda v: v / 100)] * 4),
                       st.sampled_from(sorted(LABELS)), max_size=8))  # fmt: skip
@examples(40)
def test_what_is_written_is_read_back_in_its_order(tmp_path_factory, labels):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_bytes(csv_of(labels))
    assert list(read_csv(path).items()) == list(labels.items())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"mine\.csv:1: expected the header frame_id,x,y,w,h,label, got ''"),
        ("id,label\n1,unoccluded\n", r"mine\.csv:1: expected the header"),
        (
            HEAD + "1,2,3,4,5,truncated\n2,2,3,4,5,hidden\n",
            r"mine\.csv:3: unknown label 'hidden'; expected unocc",
        ),
        (HEAD + "x,2,3,4,5,unoccluded\n", r"mine\.csv:2: expected .* with five numbers, got 'x,2,3,4,5,unoccluded'"),
        (HEAD + "1,2\n", r"mine\.csv:2: expected .* with five numbers, got '1,2'"),
        (HEAD + "1,2,3,4,0,truncated\n", r"mine\.csv:2: expected .* with a box that has a size"),
        (HEAD + "1,2,3,inf,5,truncated\n", r"mine\.csv:2: expected .* with a box that has a size"),
        (HEAD + "1.5,2,3,4,5,truncated\n", r"mine\.csv:2: expected"),
        (HEAD + "1,2,3,4,5\n", r"mine\.csv:2: expected"),
    ],
)
def test_a_bad_row_is_named(tmp_path, text, said):
    with pytest.raises(ValueError, match=said) as caught:
        read_csv(write(tmp_path / "mine.csv", text))
    assert "\n" not in str(caught.value)


def test_a_label_of_another_camera_is_told(camera_dir, tmp_path):
    with pytest.raises(ValueError, match="frame 77 is none of the camera's"):
        crops_of_csv(write(tmp_path / "mine.csv", HEAD + "77,2,3,4,5,unoccluded\n"), camera_dir)
    with pytest.raises(ValueError, match="frame 0: the box has no pixel inside the picture"):
        crops_of_csv(write(tmp_path / "mine.csv", HEAD + "0,900,3,4,5,unoccluded\n"), camera_dir)
    with pytest.raises(FileNotFoundError, match="no such label file"):
        labelled_crops(tmp_path / "none.csv")


def cvat(tmp_path, shapes, name="a.png"):
    (tmp_path / "images").mkdir(exist_ok=True)
    cv2.imwrite(str(tmp_path / "images/a.png"), picture(0))
    text = f'<annotations><version>1.1</version><image id="0" name="{name}">{shapes}</image></annotations>'
    return write(tmp_path / "a.xml", text), tmp_path / "images"


BOX = '<box label="car" occluded="{flag}" xtl="20" ytl="30" xbr="44" ybr="70">{more}</box>'
POLYGON = '<polygon label="{label}" occluded="0" points="20,30;44,30;44,70;20,70"/>'
MASK = '<mask label="car" occluded="0" left="18" top="30" width="28" height="40" rle="{rle}"/>'
RUNS = ",".join(["2", "24"] + ["4", "24"] * 39 + ["2"])


def test_box_polygon_and_mask_of_one_place_give_one_crop(tmp_path):
    shapes = BOX.format(flag=0, more="") + POLYGON.format(label="car") + MASK.format(rle=RUNS)
    table = crops_of_cvat(*cvat(tmp_path, shapes))
    x, y, w, h = CARDS[1][0]
    expected = crop_of(picture(0), np.ones((h, w), bool), (x, y))
    assert all((crop == expected).all() for crop in stored(table))
    assert table["classes"].to_pylist() == [["unoccluded"]] * 3


def test_an_attribute_goes_before_the_shapes_name_and_that_before_cvats_flag(tmp_path):
    said = '<attribute name="occlusion">truncated</attribute>'
    shapes = BOX.format(flag=1, more=said) + POLYGON.format(label="occluded_by_static") + BOX.format(flag=1, more="")
    table = crops_of_cvat(*cvat(tmp_path, shapes))
    assert table["classes"].to_pylist() == [["truncated"], ["occluded_by_static"], list(OCCLUDED)]


def test_shapes_of_one_picture_are_one_group_however_often_the_file_has_it(tmp_path):
    path, images = cvat(tmp_path, BOX.format(flag=0, more="") * 2)
    cv2.imwrite(str(images / "b.png"), picture(1))
    entry = path.read_text().split("<version>1.1</version>")[1].removesuffix("</annotations>")
    more = entry.replace("a.png", "b.png") + entry.replace("a.png", "../images/a.png")
    table = crops_of_cvat(write(path, f"<annotations>{entry}{more}</annotations>"), images)
    assert table["group"].to_pylist() == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("shapes", "name", "said"),
    [
        (
            BOX.format(flag=0, more='<attribute name="occlusion">half</attribute>'),
            "a.png",
            r"a\.xml: image 'a\.png', shape 1: unknown occlusion 'half'; expected unoccluded",
        ),
        (BOX.format(flag=0, more="").replace("44", "wide"), "a.png", "shape 1: the box has no readable place"),
        (BOX.format(flag=0, more="").replace('"20"', '"400"').replace('"44"', '"440"'), "a.png", "no pixel inside"),
        (POLYGON.format(label="car").replace("44,30", "44"), "a.png", "the polygon has no readable place"),
        (MASK.format(rle="5,999999999999"), "a.png", "the mask has no readable place"),
        (MASK.format(rle="1200,-100,20"), "a.png", "the mask has no readable place"),
        ("", "a.png", "no box, polygon or mask in any <image>"),
        (BOX.format(flag=0, more=""), "../a.xml", "no such picture below"),
        (BOX.format(flag=0, more=""), "b.png", "no such picture below"),
    ],
)
def test_what_cvats_file_cannot_say_is_one_clear_line(tmp_path, shapes, name, said):
    with pytest.raises(ValueError, match=said) as caught:
        crops_of_cvat(*cvat(tmp_path, shapes, name))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_xml_or_is_not_there_is_told(tmp_path):
    with pytest.raises(ValueError, match="not plain XML"):
        labelled_crops(write(tmp_path / "a.xml", "<annotations>"))
    with pytest.raises(FileNotFoundError, match="no such label file"):
        labelled_crops(tmp_path / "none.xml")
