"""Tests that share what is dear to start, or must not meet, run one after another in one worker."""

import pytest

GROUP = "groups"


@pytest.mark.xdist_group(GROUP)
def test_a_group_of_tests_stays_together(request, worker_id):
    """pytest-xdist knows a group by the end of its tests' ids, and says nothing where it cannot write there."""
    assert worker_id == "master" or request.node.nodeid.endswith(f"@{GROUP}")
