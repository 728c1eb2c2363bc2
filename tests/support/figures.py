"""Figures that tests measure, shown by `pytest -s`."""


def show(what: str, figure: object) -> None:
    """Show what was measured."""
    print(f"\n{what}: {figure}")  # noqa: T201 (this is what the module is for)
