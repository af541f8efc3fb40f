"""Kernels that start warm: one process has imported what every kernel needs, and each kernel is a fork of it.

    python warm_kernels.py serve /run/warm-kernels.sock      a service of the machine, run by root where students differ
    python warm_kernels.py install /run/warm-kernels.sock    once: this environment's kernel "python3" asks the service

A kernel then starts without the seconds that `import torch` takes, and shares the memory of what was imported. It runs
as the student who asked, in the student's folder, environment and control group, within the student's limits. Without
the service it starts as ever. For one Linux machine; containers of their own share nothing.
"""

import json
import os
import pwd
import resource
import signal
import socket
import struct
import sys
import threading

WARM = ("ipykernel.kernelapp", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "anywidget", "torch")


def serve(path: str) -> None:
    """Import, then fork a kernel for each request until the process is ended."""
    import gc
    import importlib

    for name in WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the collector would write into every object, and so copy the pages that are shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a kernel that has ended
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        os.chmod(path, 0o666)  # who asks is known by the socket itself
        door.listen(64)
        while True:
            asker, _ = door.accept()
            if os.fork() == 0:
                door.close()
                try:
                    _become_kernel(asker)
                finally:
                    os._exit(1)
            asker.close()


def _become_kernel(asker: socket.socket) -> None:
    """In the forked process: take the asker's place, and run as the kernel that it was started to be."""
    pid, uid, gid = struct.unpack("3i", asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    message, handles, _, _ = socket.recv_fds(asker, 2**20, 2)
    request = json.loads(message)
    for kind in (name for name in dir(resource) if name.startswith("RLIMIT_")):
        resource.setrlimit(getattr(resource, kind), resource.prlimit(pid, getattr(resource, kind)))
    if os.geteuid() == 0:
        _enter_group(pid)
        os.initgroups(pwd.getpwuid(uid).pw_name, gid)
        os.setgid(gid)
        os.setuid(uid)
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    os.environ.pop("JPY_PARENT_PID", None)  # the parent is the service; the socket says when the asker is gone
    for handle, number in zip(handles, (1, 2), strict=True):
        os.dup2(handle, number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def watch() -> None:
        asker.recv(1)  # nothing comes but the end
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    import numpy
    from ipykernel.kernelapp import launch_new_instance

    numpy.random.seed(None)  # else all forks would draw the same
    sys.argv = ["ipykernel_launcher", "-f", request["connection"]]
    sys.path[:] = ["", *(p for p in os.environ.get("PYTHONPATH", "").split(":") if p), *sys.path[1:]]
    launch_new_instance()
    os._exit(0)


def _enter_group(pid: int) -> None:
    """Move into the asker's control group: its limits hold for what it asked for."""
    with open(f"/proc/{pid}/cgroup") as lines:
        for number, _, group in (line.strip().split(":", 2) for line in lines):
            if number == "0":
                with open(f"/sys/fs/cgroup{group}/cgroup.procs", "w") as members:
                    members.write(str(os.getpid()))


def ask(path: str, connection: str) -> None:
    """Be the process that Jupyter sees: ask for a kernel and last as long as it does."""
    door = socket.socket(socket.AF_UNIX)
    try:
        door.connect(path)
    except OSError:  # no service
        os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", "-f", connection])
    request = {"connection": connection, "folder": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(door, [json.dumps(request).encode()], [1, 2])
    door.recv(1)  # until the kernel ends


def install(path: str) -> None:
    """Make "python3" of this environment ask the service at `path`."""
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    folder = os.path.join(sys.prefix, "share", "jupyter", "kernels", "python3")
    os.makedirs(folder, exist_ok=True)
    argv = [sys.executable, "-I", "-S", os.path.abspath(__file__), "ask", path, "{connection_file}"]
    with open(os.path.join(folder, "kernel.json"), "w") as file:
        # message: an interrupt is sent to the kernel itself
        json.dump({**spec.to_dict(), "argv": argv, "interrupt_mode": "message"}, file, indent=1)


if __name__ == "__main__":
    {"serve": serve, "ask": ask, "install": install}[sys.argv[1]](*sys.argv[2:])
