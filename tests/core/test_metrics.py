from bulk_remove.run.after import Gauge, exposition


def test_gauges_are_written_as_prometheus_reads_them() -> None:
    gauge = Gauge("numbers", "Numbers.", {(("host", "h"), ("status", "REMOVED")): 3, (("host", "g"),): 0.5})
    assert exposition([gauge]) == (
        '# HELP numbers Numbers.\n# TYPE numbers gauge\nnumbers{host="h",status="REMOVED"} 3\nnumbers{host="g"} 0.5\n'
    )


def test_what_would_end_a_label_or_a_line_is_escaped() -> None:
    gauge = Gauge("a", 'one\nline with a \\ and a "', {(("b", 'a"b\\c\nd\x1b'),): 1})
    assert exposition([gauge]).splitlines() == [
        r'# HELP a one\nline with a \\ and a "',
        "# TYPE a gauge",
        r'a{b="a\"b\\c d?"} 1',  # one line in any case
    ]


def test_a_gauge_without_a_sample_is_left_out() -> None:
    assert exposition([Gauge("a", "Nothing.", {})]) == ""
