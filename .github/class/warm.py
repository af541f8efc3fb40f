"""Servers and kernels that start warm: one process has imported what all of them need, and each is a fork of it.

    python warm.py serve /run/warm.sock      a service of the machine, run by root where students differ
    python warm.py install /run/warm.sock    once: this environment's kernel "python3" asks the service
    python warm.py ask /run/warm.sock -m jupyterhub.singleuser    in place of python: the spawner's command

What is forked starts without the seconds that its imports take, and shares their memory. It runs as the student who
asked, in the student's folder, environment and control group, within the student's limits. Without the service it
starts as ever. For one Linux machine; containers of their own share nothing.
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

KERNEL = ("ipykernel.kernelapp", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "anywidget", "torch")
SERVER = ("jupyterhub.singleuser", "jupyterhub.singleuser.extension", "jupyterlab.labapp", "jupyter_lsp")


def serve(path: str) -> None:
    """Import, then fork for each request until the process is ended."""
    import contextlib
    import gc
    import importlib

    for name in (*KERNEL, *SERVER):
        with contextlib.suppress(ImportError):  # the one who does not need it has not installed it
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the collector would write into every object, and so copy the pages that are shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what has ended
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
                    _become(asker)
                finally:
                    os._exit(1)
            asker.close()


def _become(asker: socket.socket) -> None:
    """In the forked process: take the asker's place, and run the module that it was started to run."""
    pid, uid, gid = struct.unpack("3i", asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    message, handles, _, _ = socket.recv_fds(asker, 2**20, 2)
    request = json.loads(message)
    for kind in (getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")):
        resource.setrlimit(kind, resource.prlimit(pid, kind))
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
    threading.Thread(target=_end_with, args=(asker,), daemon=True).start()
    import runpy

    sys.argv = ["", *request["arguments"]]
    sys.path[:] = ["", *(p for p in os.environ.get("PYTHONPATH", "").split(":") if p), *sys.path[1:]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    os._exit(0)


def _end_with(asker: socket.socket) -> None:
    asker.recv(1)  # nothing comes but the end
    os.kill(os.getpid(), signal.SIGTERM)  # a server ends its kernels
    threading.Event().wait(10)
    os._exit(0)


def _enter_group(pid: int) -> None:
    """Move into the asker's control group: its limits hold for what it asked for."""
    with open(f"/proc/{pid}/cgroup") as lines:
        for number, _, group in (line.strip().split(":", 2) for line in lines):
            if number == "0":
                with open(f"/sys/fs/cgroup{group}/cgroup.procs", "w") as members:
                    members.write(str(os.getpid()))


def ask(path: str, _m: str, module: str, *arguments: str) -> None:
    """Be the process that was started in place of `python -m module arguments`, and last as long as its work does."""
    door = socket.socket(socket.AF_UNIX)
    try:
        door.connect(path)
    except OSError:  # no service
        os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
    request = {
        "module": module,
        "arguments": arguments,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }
    socket.send_fds(door, [json.dumps(request).encode()], [1, 2])
    door.recv(1)  # until it ends


def install(path: str, share: str = os.path.join(sys.prefix, "share", "jupyter")) -> None:
    """Make the kernel "python3" of this environment, or of the folder `share`, ask the service at `path`."""
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    folder = os.path.join(share, "kernels", "python3")
    os.makedirs(folder, exist_ok=True)
    here = [sys.executable, "-I", "-S", os.path.abspath(__file__), "ask", path]
    argv = [*here, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    with open(os.path.join(folder, "kernel.json"), "w") as file:
        # message: an interrupt is sent to the kernel itself
        json.dump({**spec.to_dict(), "argv": argv, "interrupt_mode": "message"}, file, indent=1)


if __name__ == "__main__":
    {"serve": serve, "ask": ask, "install": install}[sys.argv[1]](*sys.argv[2:])
