import pytest

from calibration.traffic.words import distances_of


def test_distances_as_people_give_them():
    one, two = distances_of("10,20,30,400,7.5; 1,2,300,4,12")
    assert one.start_px.tolist() == [10, 20] and one.end_px.tolist() == [30, 400] and one.metres == 7.5
    assert two.metres == 12 and distances_of("") == ()


@pytest.mark.parametrize("text", ["10,20,30,40", "a,b,c,d,e", "1,2,300,4,-3", "1,2,1,2,5", "1,2,3,4,nan"])
def test_what_is_no_distance_is_told_in_a_line(text):
    with pytest.raises(ValueError, match=r"--distance .*: expected ") as told:
        distances_of(text)
    assert "\n" not in str(told.value)
