import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.replies import Fault, Reply, read_envelope, read_reply
from bulk_remove.core.verdicts import json_of, may_repeat, with_repeats, words_of

DOCUMENTED = b'{"441":[{"http_status":200,"record_id":5235,"status":"REMOVED"}]}'
HTML_NOTICE = b"<br />\n<b>Notice</b>:  Undefined index: x in <b>/var/www/a.php</b> on line <b>12</b><br />\n"
TEXT_NOTICE = b"\nWarning: Undefined variable $x in /var/www/a.php on line 3\n"
CLOSURE = b"PHP Deprecated:  Foo::{closure}(): Passing null is deprecated in /a.php on line 5\n"
FATAL = (
    b"<br />\n<b>Fatal error</b>:  Uncaught Exception: no in /a.php:3\nStack trace:\n#0 {main}\n"
    b"  thrown in <b>/a.php</b> on line <b>3</b><br />\n"
)
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BOM, b""),
        (BOM * 2, b"\n"),
        (HTML_NOTICE, b""),
        (b"", HTML_NOTICE),
        (TEXT_NOTICE, TEXT_NOTICE),
        (HTML_NOTICE * 3, FATAL),
        (CLOSURE, b""),
        (b"<br><BR/>\n<b>Warning</b>: x in <b>/a.php</b> on line <b>3</b>\n", b""),
        (HTML_NOTICE + BOM, b"\0\r\n"),
        ("\nStrict Standards: łó in /a.php on line 3\n".encode("iso-8859-2"), b""),
    ],
)
def test_verdicts_are_read_with_a_byte_order_mark_and_php_s_notices_around_them(before: bytes, after: bytes) -> None:
    reply = read_reply(before + DOCUMENTED + after, ["441"])
    assert isinstance(reply, Reply)
    assert reply.verdicts[0].record_ids == (5235,)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><script>" + DOCUMENTED + b"</script></html>",
        HTML_NOTICE + DOCUMENTED[:-1],
        HTML_NOTICE + DOCUMENTED[:-1] + HTML_NOTICE,
        HTML_NOTICE + b'{"a" ' + DOCUMENTED,
        DOCUMENTED + DOCUMENTED,
        DOCUMENTED + b"[]",
        b"[]" + DOCUMENTED,
        b"see " + DOCUMENTED,
        b"# a remark\n" + DOCUMENTED,
        b"Fatal error:Uncaught x in /a.php:3\n" + DOCUMENTED,
        b"Notice: x in /a.php on line \n" + DOCUMENTED,
        DOCUMENTED + b"}",
        HTML_NOTICE,
        BOM,
        HTML_NOTICE + b'{"441":"\xff"}',
        HTML_NOTICE + b'{"441":NaN}',
        HTML_NOTICE + b'{"a":' * 100_000,
    ],
)
def test_nothing_is_guessed_where_the_json_is_not_whole_or_other_text_is_around_it(body: bytes) -> None:
    assert isinstance(read_reply(body, ["441"]), Fault)


def test_an_empty_list_with_a_notice_is_an_empty_reply() -> None:
    reply = read_reply(HTML_NOTICE + b"[]", ["441"])
    assert isinstance(reply, Reply)
    assert reply.verdicts[0].event is Event.PASSED_OVER


keys = st.text('44:"[', max_size=3)
entries = st.lists(st.dictionaries(st.sampled_from(["status", "http_status", "a:b"]), st.text("x:", max_size=2)))


@given(st.lists(st.tuples(keys, entries), max_size=5))
def test_a_key_that_stands_twice_is_never_missed(pairs: list[tuple[str, object]]) -> None:
    text = "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}"
    document = orjson.loads(text)
    if len(document) < len(pairs):
        assert may_repeat(text.encode(), document)
        assert {key: len(value) for key, value in with_repeats(text.encode()).items() if len(document) == 1} == (
            {pairs[0][0]: len(pairs)} if len(document) == 1 else {}
        )
    else:
        assert with_repeats(text.encode()) == document


def test_what_nests_without_end_is_no_reply() -> None:
    for body in (b'{"441":' * 990 + b"1" + b"}" * 990, b'{"441":[],"441":' + b"[" * 1000 + b"]" * 1000 + b"}"):
        reply = read_reply(body, ["441"])
        assert isinstance(reply, Fault) or reply.verdicts[0].event is not Event.REMOVED


def test_words_too_deep_to_be_written_down_are_left_out() -> None:
    deep: list[object] = []
    for _ in range(500):
        deep = [deep]
    assert words_of(deep) == "..."
    assert words_of({"a": 1}) == '{"a":1}'


def test_the_server_s_words_are_masked_and_bounded() -> None:
    said = read_envelope(orjson.dumps({"errors": [{"message": "number 601234555" + " x" * 1000}]})).message
    assert said.startswith("number 60*****55 x")
    assert len(said) == 300


def test_json_alone_is_taken_as_it_is() -> None:
    assert json_of(DOCUMENTED) == (orjson.loads(DOCUMENTED), DOCUMENTED)
