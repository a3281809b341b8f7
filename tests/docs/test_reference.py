"""The reference says what the code says, on every machine the same."""

from tests.docs.reference import PLACE, commands, options, reference

PAGE = PLACE.read_text(encoding="utf-8")


def test_the_reference_is_what_the_code_says() -> None:
    assert reference() == PAGE, "run: make reference"


def test_every_command_and_every_option_is_in_the_reference() -> None:
    for ctx in commands():
        section = PAGE.split(f"### {ctx.command_path}\n")[1].split("\n##")[0]
        for param in options(ctx):
            assert all(f"`{name}`" in section for name in (*param.opts, *param.secondary_opts) if name[0] == "-")
            assert not param.envvar or f"`{param.envvar}`" in section


def test_every_command_but_a_group_has_an_example_in_the_reference() -> None:
    for ctx in commands():
        assert "\nExample" in PAGE.split(f"### {ctx.command_path}\n")[1].split("\n##")[0], ctx.command_path


def test_no_default_of_the_reference_is_a_path_for_these_depend_on_the_machine() -> None:
    rows = [line.replace("\\|", "").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    defaults = {row[2] for row in rows if len(row) == 6}
    assert "`auto`" in defaults
    assert not [default for default in defaults if "/" in default or "\\" in default or "~" in default]
