"""Confines its own process, then becomes the program it was given: the inner half of the sandbox.

`sandbox.py` starts this file by its path, in an isolated interpreter, as `confine.py NAME=NUMBER… -- PROGRAM ARGUMENT…`
with the parameters of `confine`. Every confinement that is asked for either holds or ends the process with
`EXIT_NOT_CONFINED` before the program starts; nothing is tried twice or skipped.

It runs before every FFmpeg, where no package is in sight, and somebody waits for it: only a few small modules of the
standard library are imported here, for `dataclasses`, `json` or `pathlib` would double the time of the start.
"""

import ctypes
import os
import resource
import sys

EXIT_NOT_CONFINED = 125

SIGKILL = 9
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
LANDLOCK_RESTRICT_SELF = 446  # has the same number on every machine
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
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("The parent process has ended")


def limit_resources(memory_bytes: int, cpu_seconds: int) -> None:
    """Bound memory and CPU; writing any file, even an open one, is an error. Pipes are not files.

    Memory is what can be written to. Address space, which threads reserve in plenty and never touch, has a wide bound.
    """
    for limit, value in (
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_AS, ADDRESS_SPACE * memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
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
            return


def hide_files(ruleset: int) -> None:
    """Leave only what a ruleset of Landlock allows. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def deny_calls() -> None:
    """Install the seccomp filter over DENIED_CALLS; a foreign instruction set, whose numbers differ, is killed."""
    machine = os.uname().machine
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


def confine(
    *,
    memory_bytes: int,
    cpu_seconds: int,
    parent: int | None = None,
    landlock: int | None = None,
    seccomp: int = 0,
) -> None:
    """Confine this process, for good: it dies with `parent`, and `landlock` is the descriptor of its ruleset."""
    if parent is not None:
        die_with_parent(parent)
    drop_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if landlock is not None:
        hide_files(landlock)
    if seccomp:
        deny_calls()
    limit_resources(memory_bytes, cpu_seconds)


def main() -> None:
    """Confine and become the program."""
    end = sys.argv.index("--")
    rules = dict(word.split("=") for word in sys.argv[1:end])
    program = sys.argv[end + 1 :]
    try:
        confine(**{name: int(number) for name, number in rules.items()})
        os.execve(program[0], program, {})  # noqa: S606 - there is no shell to want
    except Exception as failure:  # noqa: BLE001 - whatever failed, the program must not start
        sys.stderr.write(f"[fatal] The sandbox could not be closed: {failure!r}\n")
        sys.exit(EXIT_NOT_CONFINED)


if __name__ == "__main__":
    main()
