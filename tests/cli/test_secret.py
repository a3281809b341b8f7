import os
import sys
from pathlib import Path
from shlex import join

import pytest

from bulk_remove.cli import given as secret
from bulk_remove.cli.given import read_password
from bulk_remove.errors import UsageError

PASSWORD = "s3cr3t zażółć"


def command(code: str) -> str:
    return join([sys.executable, "-c", code])


def private(file: Path, contents: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(contents)


def printing(contents: bytes) -> str:
    return command(f"import sys; sys.stdout.buffer.write({contents!r})")


@pytest.mark.parametrize(
    ("variable", "in_file", "in_command", "found"),
    [
        ("from the environment", True, True, "from the environment"),
        ("", True, True, "from the file"),
        (None, True, True, "from the file"),
        (None, False, True, "from the command"),
        (None, False, False, ""),
    ],
)
def test_the_environment_comes_before_the_file_and_the_file_before_the_command(
    tmp_path: Path, variable: str | None, in_file: bool, in_command: bool, found: str
) -> None:
    file = tmp_path / "password"
    private(file, b"from the file\n")
    environment = {} if variable is None else {"BULK_REMOVE_PASSWORD": variable}
    words = printing(b"from the command\n") if in_command else ""
    assert read_password(environment, "", str(file) if in_file else "", words) == found


@pytest.mark.parametrize("kind", ["file", "command"])
@pytest.mark.parametrize(
    "contents",
    [
        f"{PASSWORD}".encode(),
        f"{PASSWORD}\n".encode(),
        f"{PASSWORD}\r\nlogin: x\r\n".encode(),
        f"{PASSWORD}\nsecond\n".encode(),
        f"{PASSWORD}\n".encode() + b"\xff\xfe",
        f"\ufeff{PASSWORD}\r\n".encode(),
    ],
    ids=["no line end", "one line", "CR LF", "two lines", "no text after the first line", "byte order mark"],
)
def test_the_first_line_is_the_password(tmp_path: Path, kind: str, contents: bytes) -> None:
    assert password_of(tmp_path, kind, contents) == PASSWORD


def password_of(folder: Path, kind: str, contents: bytes) -> str:
    if kind == "command":
        return read_password({}, "", "", printing(contents))
    private(folder / "password", contents)
    return read_password({}, "", str(folder / "password"), "")


def test_spaces_around_a_password_belong_to_it(tmp_path: Path) -> None:
    assert password_of(tmp_path, "file", b"  x \t\n") == "  x \t"


@pytest.mark.parametrize("kind", ["file", "command"])
@pytest.mark.parametrize(
    ("contents", "words"),
    [
        pytest.param(b"", ("is empty", "printed no password"), id="nothing"),
        pytest.param(b"\nsecret\n", ("is empty", "printed no password"), id="an empty first line"),
        pytest.param(b"s\xf3cret\n", ("not UTF-8 text", "not UTF-8 text"), id="not UTF-8"),
    ],
)
def test_a_source_without_a_password_is_an_error_that_does_not_repeat_it(
    tmp_path: Path, kind: str, contents: bytes, words: tuple[str, str]
) -> None:
    with pytest.raises(UsageError) as refusal:
        password_of(tmp_path, kind, contents)
    assert words[kind == "command"] in refusal.value.sentence
    assert "cret" not in refusal.value.sentence + refusal.value.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory") as refusal:
        read_password({}, "", str(tmp_path / "missing"), "")
    assert str(tmp_path / "missing") in refusal.value.sentence
    assert "--password-file" in refusal.value.hint


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize("mode", [0o604, 0o602, 0o640, 0o620, 0o644, 0o666])
def test_a_file_that_others_can_read_or_write_is_refused_with_the_chmod_to_do(tmp_path: Path, mode: int) -> None:
    private(tmp_path / "password", b"s3cr3t\n")
    (tmp_path / "password").chmod(mode)
    with pytest.raises(UsageError, match=f"its mode is {mode:o}") as refusal:
        read_password({}, "", str(tmp_path / "password"), "")
    assert refusal.value.hint.endswith(f"chmod 600 {tmp_path / 'password'}")
    assert "s3cr3t" not in refusal.value.sentence


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize(("mode", "taken"), [(0o640, True), (0o440, True), (0o644, False), (0o660, False)])
def test_a_file_of_root_may_be_handed_to_a_group_but_not_to_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, taken: bool
) -> None:
    private(tmp_path / "password", b"s3cr3t\n")
    facts = os.stat_result((0o100000 | mode, 0, 0, 1, 0, 0, 7, 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda _descriptor: facts)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    if taken:
        assert read_password({}, "", str(tmp_path / "password"), "") == "s3cr3t"
    else:
        with pytest.raises(UsageError, match="open to others"):
            read_password({}, "", str(tmp_path / "password"), "")


@pytest.mark.skipif(os.name != "posix", reason="a named pipe is POSIX")
def test_a_pipe_has_no_readers_to_worry_about() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"s3cr3t\n")
    os.close(theirs)
    try:
        assert read_password({}, "", f"/dev/fd/{ours}", "") == "s3cr3t"
    finally:
        os.close(ours)


def test_a_variable_is_named_and_its_value_is_the_password() -> None:
    assert read_password({"ACME": "of acme"}, "ACME", "", "") == "of acme"
    assert read_password({"ACME": "of acme", "BULK_REMOVE_PASSWORD": "nearer"}, "ACME", "", "") == "nearer"


@pytest.mark.parametrize("name", ["hunter2", "s3cr3t!", "ACME"])
def test_a_variable_that_is_not_there_is_not_repeated_for_it_may_be_the_password(name: str) -> None:
    with pytest.raises(UsageError, match="password_env") as refusal:
        read_password({"ACME": ""}, name, "", "")
    assert name not in refusal.value.sentence


def test_a_folder_is_no_password_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: "):
        read_password({}, "", str(tmp_path), "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(command("print('s3cr3t'); raise SystemExit(3)"), "failed", id="exit code 3"),
        pytest.param(
            command("import sys; print('s3cr3t', file=sys.stderr); sys.exit(1)"), "failed", id="s3cr3t on stderr"
        ),
        pytest.param("/no/such/program s3cr3t", "cannot be run", id="no such program"),
        pytest.param("echo 's3cr3t", "cannot be run", id="an open quotation"),
        pytest.param("   ", "cannot be run", id="nothing but blanks"),
    ],
)
def test_a_command_that_fails_is_an_error_without_what_it_printed(words: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_password({}, "", "", words)
    assert refusal.value.sentence == f"The password command {sentence}."
    assert "s3cr3t" not in refusal.value.sentence + refusal.value.hint
    assert "by itself" in refusal.value.hint


def test_a_command_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "_COMMAND_TIMEOUT_S", 0.01)
    with pytest.raises(UsageError, match="failed"):
        read_password({}, "", "", command("import threading; print('s3cr3t'); threading.Event().wait()"))


def test_a_command_reads_nothing_of_what_is_typed_and_is_run_without_a_shell(tmp_path: Path) -> None:
    (tmp_path / "typed").write_text("typed\n", encoding="utf-8")
    asks = command("import sys; print(repr(sys.stdin.read()), sys.argv[1:])") + " '$HOME;' '>' x"
    terminal = os.dup(0)
    try:
        with (tmp_path / "typed").open(encoding="utf-8") as typed:
            os.dup2(typed.fileno(), 0)
        assert read_password({}, "", "", asks) == "'' ['$HOME;', '>', 'x']"
    finally:
        os.dup2(terminal, 0)
        os.close(terminal)
