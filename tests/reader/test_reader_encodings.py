"""Text in the encodings that exports come in: read as it was written, or refused with what to do."""

import codecs
from pathlib import Path

import pytest

from bulk_remove.errors import UsageError
from bulk_remove.reader import ReadOptions, open_table
from tests.support.tables import kept_of, refusal, rows_of, written

ALL = ReadOptions(keep_columns=True)
POLISH = "Imię;Źródło;telefon\nŁucja Gąska;„Święto”;601000001\nJózef Żmuda;Bielsko\u2013Biała;601000002\n"
ISO_POLISH = POLISH.translate({ord("„"): '"', ord("”"): '"', 0x2013: "-"}).replace('"Święto"', "Święto")
CZECH = (
    "jméno;město;telefon\nŘehoř Šťastný;Žďár nad Sázavou;601000001\n"
    "Květa Dvořáková;České Budějovice;601000002\nJiří Růžička;Plzeň;601000003\nLuděk Černý;Třebíč;601000004\n"
)
FRENCH = (
    "prénom;ville;telephone\nHélène;Besançon à côté de la forêt;601000001\nFrançois;Nîmes où il était né;601000002\n"
    "Gisèle;Orléans, près de la même rivière;601000003\n"
)
SWEDISH = "namn;stad;telefon\nÅsa Öberg;Malmö;601000001\nHåkan Sjögren;Växjö;601000002\n"
UKRAINIAN = (
    "ім'я;місто;telefon\nОлександр Шевченко;Київ;601000001\nНаталія Ткаченко;Івано-Франківськ;601000002\n"  # noqa: RUF001 - meant
    "Юрій Ковальчук;Чернівці, вулиця Головна;601000003\n"
)


def read(path: str, options: ReadOptions = ALL) -> str:
    """Return the file as it was read, cells parted by semicolons."""
    table = open_table(path, options)
    return "".join(";".join(cells) + "\n" for cells in (table.source.header, *kept_of(table)))


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        (POLISH, "utf-8", "utf-8"),
        (POLISH, "utf-8-sig", "utf-8-sig"),
        (POLISH, "utf-16", "utf-16-le"),
        (POLISH, "utf-16-le", "utf-16-le"),
        (POLISH, "utf-16-be", "utf-16-be"),
        (POLISH, "cp1250", "cp1250"),
        (ISO_POLISH, "iso8859-2", "iso8859-2"),
        (ISO_POLISH, "cp852", "cp852"),
        (ISO_POLISH, "mac_latin2", "mac-latin2"),
        (CZECH, "cp1250", "cp1250"),
        (FRENCH, "cp1252", "cp1252"),
        (CZECH, "iso8859-2", "iso8859-2"),
        (SWEDISH, "cp1252", "cp1252"),
        (UKRAINIAN, "cp1251", "cp1251"),
    ],
    ids=lambda value: value if len(value) < 12 else "",
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_text_is_read_as_it_was_written(tmp_path: Path, text: str, encoding: str, shown: str, newline: str) -> None:
    path = written(tmp_path, text.replace("\n", newline).encode(encoding))
    assert read(path) == text
    source = open_table(path, ALL).source
    assert source.encoding == shown
    assert any("--encoding" in note for note in source.notes) == (not shown.startswith("utf"))


def test_utf16_with_a_mark_of_either_order_is_read(tmp_path: Path) -> None:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        path = written(tmp_path, mark + POLISH.encode(encoding))
        assert read(path) == POLISH
        assert open_table(path, ALL).source.encoding == encoding


@pytest.mark.parametrize("letters", ["ąśź", "ĄŚŹ", "ą", "ś", "Ź", "łą", "óś"])
@pytest.mark.parametrize("encoding", ["cp1250", "iso8859-2"])
def test_the_letters_in_which_cp1250_and_iso_8859_2_differ_settle_which_it_is(
    tmp_path: Path, letters: str, encoding: str
) -> None:
    text = f"telefon;nazwisko\n601000001;Abc{letters}def\n"
    path = written(tmp_path, text.encode(encoding))
    assert read(path) == text
    assert open_table(path, ALL).source.encoding == encoding


def test_where_both_give_the_same_text_cp1250_is_named(tmp_path: Path) -> None:
    text = "telefon;imię\n601000001;Łucja Żółć\n"
    path = written(tmp_path, text.encode("iso8859-2"))
    assert read(path) == text
    assert open_table(path, ALL).source.encoding == "cp1250"


def test_a_letter_far_down_settles_the_encoding_of_the_whole(tmp_path: Path) -> None:
    text = "telefon;imię\n" + "601000001;Łucja\n" * 60_000 + "601000002;Stanisława Gąska\n"
    for encoding in ("cp1250", "iso8859-2"):
        assert read(written(tmp_path, text.encode(encoding))) == text


def test_a_few_foreign_names_do_not_hide_polish(tmp_path: Path) -> None:
    text = "telefon;imię\n" + "601000001;Józef Wąs\n" * 30 + "601000002;Müller\n601000003;Škoda\n601000004;O’Neil\n"  # noqa: RUF001
    assert read(written(tmp_path, text.encode("cp1250"))) == text


def test_what_two_languages_read_differently_is_refused(tmp_path: Path) -> None:
    """Accents of French that are letters of Slovak in cp1250."""
    path = written(tmp_path, "telefon;nom\n601000001;éàè\n601000002;ç\n".replace("ç", "é").encode("cp1252"))
    assert "its encoding is not certain" in refusal(path).sentence


def test_the_options_encoding_overrules_what_would_be_found(tmp_path: Path) -> None:
    content = "telefon;imię\n601000001;Gąska\n".encode("cp1250")
    table = open_table(written(tmp_path, content), ReadOptions(keep_columns=True, encoding="iso8859-1"))
    assert kept_of(table) == [("601000001", "G¹ska")]
    assert (table.source.encoding, table.source.notes) == ("iso8859-1", ())


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig"])
def test_the_options_encoding_may_be_utf8_with_or_without_its_mark(tmp_path: Path, encoding: str) -> None:
    for mark in (b"", codecs.BOM_UTF8):
        assert read(written(tmp_path, mark + POLISH.encode()), ReadOptions(None, True, encoding=encoding)) == POLISH  # noqa: FBT003


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "UTF-16LE"])
def test_the_options_encoding_takes_off_the_mark_of_utf16(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, codecs.BOM_UTF16_LE + POLISH.encode("utf-16-le"))
    assert read(path, ReadOptions(keep_columns=True, encoding=encoding)) == POLISH


@pytest.mark.parametrize(
    "encoding", ["latin-0", "hex", "a\0b", "", "punycode", "IDNA", "unicode_escape", "raw_unicode_escape"]
)
def test_an_encoding_that_there_is_not_is_a_fault_of_usage(tmp_path: Path, encoding: str) -> None:
    error = refusal(written(tmp_path, POLISH), ReadOptions(encoding=encoding))
    assert isinstance(error, UsageError)
    assert "There is no text encoding" in error.sentence


def test_another_encoding_than_the_mark_says_is_refused(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, "\ufeff" + POLISH), ReadOptions(encoding="cp1250"))
    assert "begins with the mark of UTF-8, so it is not cp1250" in error.sentence


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"phone\n601000001\n" * 40_000 + b"\xc5", "is not UTF-8 (line 80001)"),
        (b"x" * ((1 << 18) - 1) + b"\xc5\n\n", "is not UTF-8 (line 1)"),
        (("x" * ((1 << 18) - 3) + "😀").encode() + b"\xff\n\n", "is not UTF-8 (line 1)"),
        (POLISH.encode() + b"Ga\xb9ska;x;601000003\n", "is not UTF-8 (line 4)"),
        ("telefon;imię\n601000001;Józef\n".encode() + b"601000002;J\xf3zef\n", "is not UTF-8 (line 3)"),
        (codecs.BOM_UTF8 + POLISH.encode("cp1250"), "is not UTF-8 (line 1)"),
        (b"phone\n60100\x000001\n", "holds a NUL byte (line 2)"),
        (b"phone\n601000001\n" + b"\x00" * 64, "holds a NUL byte (line 3)"),
        (b"PK\x03\x04\x00", "holds a NUL byte (line 1)"),
        (bytes(range(128, 256)) + b"\n601000001\n", "is not UTF-8 (line 1)"),
    ],
    ids=[
        *["cut at the end", "cut between reads", "after a cut character", "a row of another encoding"],
        *["the same, few letters", "a mark that is not so", "nul", "only zeros at the end", "a workbook", "no text"],
    ],
)
def test_what_is_in_no_certain_encoding_is_refused_with_its_line(tmp_path: Path, content: bytes, fault: str) -> None:
    error = refusal(written(tmp_path, content), ReadOptions(column="1"))
    assert fault in error.sentence
    assert "UTF-8" in error.hint
    assert "--encoding" in error.hint


@pytest.mark.parametrize(
    ("content", "encoding", "line"),
    [
        (b"phone,x\n601000001,a\n601000002,\x81\n", "cp1250", 3),
        (b"phone,x\n" * 50_000 + b"601000002,\x9c\n", "iso8859-2", 50_001),
        (b"phone,x\n601000001,\xb3\n", "ascii", 2),
        ("phone\n601000001\n".encode("utf-16-le") + b"\x00\xd8x\x00", "utf-16-le", 3),
        ("phone\n601000001\n".encode("utf-16-le") + b"x", "utf-16-le", 3),
        ("phone\n601000001\n\0".encode("utf-16-le"), "utf-16-le", 3),
        (b"phone\n\x00\n", "cp1250", 2),
    ],
    ids=[
        "undefined",
        "a control",
        "past ascii",
        "half a pair",
        "half a character",
        "nul in utf-16",
        "nul",
    ],
)
def test_a_byte_that_is_no_text_in_the_named_encoding_is_refused_with_its_line(
    tmp_path: Path, content: bytes, encoding: str, line: int
) -> None:
    error = refusal(written(tmp_path, content), ReadOptions(encoding=encoding))
    assert f"has bytes that are not text in {encoding} (line {line})" in error.sentence
    assert "--encoding" in error.hint


def test_a_file_said_to_be_utf8_is_not_read_as_anything_else(tmp_path: Path) -> None:
    path = written(tmp_path, POLISH.encode("cp1250"))
    assert "is not UTF-8 (line 1)" in refusal(path, ReadOptions(encoding="utf-8")).sentence


def test_a_character_cut_between_two_reads_is_read(tmp_path: Path) -> None:
    start = "phone,x\n601000001,"
    for encoding in ("utf-8", "utf-16-le"):
        size = ((1 << 18) - 1 - len(start.encode(encoding))) // len("x".encode(encoding))
        path = written(tmp_path, (start + "x" * size + "łł\n").encode(encoding))
        assert kept_of(open_table(path, ALL)) == [("601000001", "x" * size + "łł")]


def test_quotes_ragged_rows_and_line_ends_are_the_same_in_every_encoding(tmp_path: Path) -> None:
    text = 'telefon;uwagi\r\n601000001;"są\r\ndwie ""linie"""\r\n601000002;ż' + ";" * 200 + "x\r\n601000003;\r\n"
    found = []
    for encoding in ("utf-8", "cp1250", "utf-16"):
        table = open_table(written(tmp_path, text.encode(encoding)), ALL)
        found.append((rows_of(table), kept_of(table), [dict(block.problems) for block in table.blocks()]))
    assert found[0] == found[1] == found[2]
    assert found[0][1][0] == ("601000001", 'są\r\ndwie "linie"')


def test_an_open_quote_is_refused_with_its_row_in_every_encoding(tmp_path: Path) -> None:
    for encoding in ("cp1250", "utf-16"):
        path = written(tmp_path, 'telefon;imię\n1;ą\n601000001;"ś\n'.encode(encoding))
        assert "the quotes of row 3 are not balanced" in refusal(path, ReadOptions(column="1")).sentence
