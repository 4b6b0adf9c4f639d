from benchmarks.common.timing import cpu_s_in_turns


def test_calls_take_turns_after_one_to_warm_up():
    called = []
    spent = cpu_s_in_turns({"long": lambda: called.append(sum(range(300_000))), "short": lambda: called.append(0)}, 3)
    assert [value > 0 for value in called] == [True, False] * 4
    assert spent["long"] > spent["short"] >= 0
