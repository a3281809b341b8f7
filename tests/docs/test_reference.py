"""The reference says what the code says."""

from bulk_remove.cli.commands import program
from tests.docs.reference import PLACE, commands, reference


def test_the_reference_is_what_the_code_says() -> None:
    assert PLACE.read_text(encoding="utf-8") == reference(), "run: make reference"


def test_every_command_and_every_option_is_in_the_reference() -> None:
    page = PLACE.read_text(encoding="utf-8")
    for path, command in commands(program, "bulk-remove"):
        section = page.split(f"### {path}\n")[1].split("\n##")[0]
        for param in command.params:
            assert all(f"`{name}`" in section for name in (*param.opts, *param.secondary_opts) if name[0] == "-")
            assert not param.envvar or f"`{param.envvar}`" in section
