"""buf.validate, registered from the descriptor that the protovalidate package carries."""

from google.protobuf import (
    descriptor_pb2,  # noqa: F401 (buf.validate extends it)
    descriptor_pool,
    duration_pb2,  # noqa: F401 (used by buf.validate)
    field_mask_pb2,  # noqa: F401 (used by buf.validate)
    timestamp_pb2,  # noqa: F401 (used by buf.validate)
)
from protovalidate._gen.buf.validate import validate_pb

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(validate_pb.desc().proto.to_binary())
