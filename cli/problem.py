"""The one error which the command line shows to its user."""


class Problem(Exception):  # noqa: N818 - it is shown as a sentence; "Error" would say nothing more
    """Something the user can put right: one plain sentence which says what is wrong and what to do."""
