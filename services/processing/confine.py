"""Confines its own process, then becomes the program it was given: the inner half of the sandbox.

`sandbox.py` starts this file by its path, in an isolated interpreter, as `confine.py RULES PROGRAM ARGUMENT…`.
RULES is the JSON form of `Rules`. Every confinement that is asked for either holds or ends the process with
`EXIT_NOT_CONFINED` before the program starts; nothing is tried twice or skipped.

Only the standard library and `landlock` may be imported here: the file runs where our packages are out of sight.
"""

import ctypes
import json
import os
import platform
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

EXIT_NOT_CONFINED = 125

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
SECCOMP_MODE_FILTER = 2
LAST_CAPABILITY_OF_ANY_KERNEL = 63
ADDRESS_SPACE = 4  # times the memory

# Numbers from the kernel's syscall tables. What a decoder never needs and an exploit would want: sockets, other
# processes, new namespaces, and the rings which would carry all of them past a filter.
DENIED_CALLS = {
    "x86_64": {
        "socket": 41,
        "kill": 62,
        "ptrace": 101,
        "mount": 165,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "unshare": 272,
        "perf_event_open": 298,
        "setns": 308,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "bpf": 321,
        "userfaultfd": 323,
        "pidfd_send_signal": 424,
        "io_uring_setup": 425,
        "pidfd_open": 434,
    },
    "aarch64": {
        "mount": 40,
        "unshare": 97,
        "ptrace": 117,
        "kill": 129,
        "socket": 198,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "perf_event_open": 241,
        "setns": 268,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "bpf": 280,
        "userfaultfd": 282,
        "pidfd_send_signal": 424,
        "io_uring_setup": 425,
        "pidfd_open": 434,
    },
}
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_CALL_BIT = 0x40000000

# Classic BPF, see linux/filter.h and linux/seccomp.h.
LOAD_WORD, JUMP_IF_EQUAL, JUMP_IF_NOT_LESS, RETURN = 0x20, 0x15, 0x35, 0x06
OFFSET_OF_CALL, OFFSET_OF_ARCH = 0, 4
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # 1 is EPERM


@dataclass(frozen=True)
class Rules:
    """What the program may do. Paths are absolute, sizes in bytes, times in seconds."""

    memory_bytes: int
    cpu_seconds: int
    landlock: bool
    seccomp: bool
    readable: list[str]
    parent: int | None


class Instruction(ctypes.Structure):
    """`struct sock_filter`."""

    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction)))


def prctl(option: int, argument: int | object = 0, extra: object = 0) -> None:
    """Change one attribute of this process, as the manual page of prctl lists them. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_void_p,) * 4)
    if libc.prctl(option, argument, extra, None, None):
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL when the parent ends, and end now if it ended before we could ask."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("The parent process has ended")


def limit_resources(rules: Rules) -> None:
    """Bound memory and CPU; writing any file, even an open one, is an error. Pipes are not files.

    Memory is what can be written to. Address space, which threads reserve in plenty and never touch, has a wide bound.
    """
    for limit, value in (
        (resource.RLIMIT_DATA, rules.memory_bytes),
        (resource.RLIMIT_AS, ADDRESS_SPACE * rules.memory_bytes),
        (resource.RLIMIT_CPU, rules.cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))


def drop_capabilities() -> None:
    """Empty the bounding set, so that a process of root gains nothing by exec; others have nothing to drop."""
    for capability in range(LAST_CAPABILITY_OF_ANY_KERNEL + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            ctypes.set_errno(0)  # the landlock package takes any errno left behind for a failure of its own
            return


def hide_files(readable: list[str]) -> None:
    """Leave only these files and folders readable, and nothing writable, by Landlock."""
    from landlock import FSAccess, Ruleset  # noqa: PLC0415 - a kernel without Landlock need not have the package

    of_file = FSAccess.READ_FILE | FSAccess.EXECUTE
    rules = Ruleset()
    for path in map(Path, readable):
        if path.exists():
            rules.allow(path, rules=of_file | FSAccess.READ_DIR if path.is_dir() else of_file)
    rules.apply()


def deny_calls() -> None:
    """Install the seccomp filter over DENIED_CALLS; a foreign instruction set, whose numbers differ, is killed."""
    machine = platform.machine()
    denied = list(DENIED_CALLS[machine].values())
    steps = [
        Instruction(LOAD_WORD, 0, 0, OFFSET_OF_ARCH),
        Instruction(JUMP_IF_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        Instruction(RETURN, 0, 0, KILL),
        Instruction(LOAD_WORD, 0, 0, OFFSET_OF_CALL),
        Instruction(JUMP_IF_NOT_LESS, len(denied) + 1, 0, X32_CALL_BIT),
        *(Instruction(JUMP_IF_EQUAL, len(denied) - n, 0, call) for n, call in enumerate(denied)),
        Instruction(RETURN, 0, 0, ALLOW),
        Instruction(RETURN, 0, 0, DENY),
    ]
    program = Program(len(steps), (Instruction * len(steps))(*steps))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))


def confine(rules: Rules) -> None:
    """Apply all the rules to this process, for good."""
    if rules.parent is not None:
        die_with_parent(rules.parent)
    drop_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if rules.landlock:
        hide_files(rules.readable)
    if rules.seccomp:
        deny_calls()
    limit_resources(rules)


def main() -> None:
    """Confine and become the program."""
    rules, program = Rules(**json.loads(sys.argv[1])), sys.argv[2:]
    try:
        confine(rules)
        os.execve(program[0], program, {})  # noqa: S606 - there is no shell to want
    except Exception as failure:  # noqa: BLE001 - whatever failed, the program must not start
        sys.stderr.write(f"[fatal] The sandbox could not be closed: {failure!r}\n")
        sys.exit(EXIT_NOT_CONFINED)


if __name__ == "__main__":
    main()
