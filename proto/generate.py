"""Turns `proto/` into `gen/`: Python stubs, the descriptor set of Envoy and the tests, openapi.json, permissions.md.

Third-party contracts are never copied into the tree: google.api and google.rpc come as text from
googleapis-common-protos, buf.validate as the descriptor that the protovalidate package carries.
Run by `make gen`; the result is committed and the same bytes come out on every machine.
"""

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import grpc_tools
from google.protobuf import descriptor_pb2
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
GEN = ROOT / "gen"

VALIDATE_MODULE = '''"""buf.validate, registered from the descriptor that the protovalidate package carries."""

from google.protobuf import (
    descriptor_pb2,  # noqa: F401 (buf.validate extends it)
    descriptor_pool,
    duration_pb2,  # noqa: F401 (used by buf.validate)
    field_mask_pb2,  # noqa: F401 (used by buf.validate)
    timestamp_pb2,  # noqa: F401 (used by buf.validate)
)
from protovalidate._gen.buf.validate import validate_pb

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(validate_pb.desc().proto.to_binary())
'''


def validate_descriptors(target: Path) -> None:
    """Write the descriptor set of buf.validate and of what it imports."""
    files = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(file: object) -> None:
        if file.name in seen:  # type: ignore[attr-defined]  # protobuf-py publishes no type for descriptors
            return
        seen.add(file.name)  # type: ignore[attr-defined]
        for dependency in file.dependencies:  # type: ignore[attr-defined]
            add(dependency)
        files.file.add().ParseFromString(file.proto.to_binary())  # type: ignore[attr-defined]

    add(validate_pb.desc())
    target.write_bytes(files.SerializeToString(deterministic=True))


def protoc(*arguments: str) -> None:
    """Run protoc with our contracts, Google's and buf's in reach."""
    site = sysconfig.get_path("purelib")
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        validate = Path(scratch) / "validate.binpb"
        validate_descriptors(validate)
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-I{site}", f"-I{well_known}"]
        command += [f"--descriptor_set_in={validate}", *arguments, *sources]
        # The generators are console scripts of the same environment.
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        subprocess.run(command, check=True, env={"PATH": path})  # noqa: S603 (our own arguments)


def without_empty_services() -> None:
    """Remove the service stubs of files that hold no service."""
    for stub in GEN.rglob("*_pb2_grpc.py"):
        if "Stub" not in stub.read_text():
            stub.unlink()
            stub.with_suffix(".pyi").unlink(missing_ok=True)


def packages() -> None:
    """Make every generated folder a typed package."""
    for folder in {path.parent for path in GEN.rglob("*_pb2.py")}:
        for level in (folder, *folder.parents):
            if level == GEN:
                break
            (level / "__init__.py").write_text("")
    (GEN / "spotilike" / "py.typed").write_text("")


def main() -> None:
    """Make `gen/` anew."""
    shutil.rmtree(GEN, ignore_errors=True)
    GEN.mkdir()
    protoc(
        f"--python_out={GEN}",
        f"--grpc_python_out={GEN}",
        f"--mypy_out=quiet:{GEN}",
        f"--mypy_grpc_out=quiet:{GEN}",
    )
    protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={GEN / 'spotilike.binpb'}")
    without_empty_services()
    validate = GEN / "buf" / "validate" / "validate_pb2.py"
    validate.parent.mkdir(parents=True)
    validate.write_text(VALIDATE_MODULE)
    packages()
    # In processes of their own, which see the modules that were just made.
    for script in ("openapi.py", "permissions.py"):
        command = [sys.executable, str(PROTO / script)]
        subprocess.run(command, check=True, env={"PYTHONPATH": str(GEN)})  # noqa: S603 (our own arguments)


if __name__ == "__main__":
    main()
