"""Words for what the catalog refuses."""

from uuid import uuid4

import grpc
import pytest

from tests.support.services import error_info, violated_fields


async def refused(call):
    """Return the reason with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error_info(error.value)[0]


async def refused_with(call):
    """Return the reason and the metadata with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error_info(error.value)


async def refused_fields(call):
    """Return the fields that a refusal complains of."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error_info(error.value)[0] == "INVALID_FIELDS"
    return violated_fields(error.value)


def no_artist():
    """Return the name of an artist that does not exist."""
    return f"artists/{uuid4()}"
