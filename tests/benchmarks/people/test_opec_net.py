from benchmarks.people.opec_net import gains


def test_each_method_is_asked_to_beat_the_one_before_it():
    table = {"base": {"AP": 50.0}, "opec": {"AP": 52.0}, "couple": {"AP": 51.5}}
    assert [(bar.name, bar.value, bar.met) for bar in gains("test", table)] == [
        ("test: AP of opec over base", 2.0, True),
        ("test: AP of couple over opec", -0.5, False),
    ]
