"""The table of settings in docs/operators.md is the one in the code.

`python -m tests.cli.test_settings_docs` writes it anew.
"""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from portico.settings import Environment

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"
BEGIN, END = "<!-- settings: generated -->\n", "<!-- end of settings -->\n"


def table() -> str:
    """One line for each variable, in the order of the code."""
    rows = [row(name, field) for name, field in Environment.model_fields.items()]
    return "\n".join(["", "| variable | without it | what it is |", "|---|---|---|", *rows, "", ""])


def row(name: str, field: FieldInfo) -> str:
    choices = " or ".join(f"`{choice}`" for choice in get_args(field.annotation)) if is_choice(field.annotation) else ""
    words = f"{field.description}: {choices}" if choices else str(field.description)
    return f"| `PORTICO_{name.upper()}` | {shown(field)} | {words} |"


def is_choice(annotation: Any) -> bool:
    return get_origin(annotation) is Literal


def shown(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    return f"`{default}`" if default not in {None, ""} else ""


def test_the_table_of_settings_is_current() -> None:
    _before, rest = PAGE.read_text().split(BEGIN)
    written, _after = rest.split(END)

    assert written == table(), "python -m tests.cli.test_settings_docs writes it anew"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Environment.model_fields.items() if not field.description] == []


if __name__ == "__main__":
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1])
