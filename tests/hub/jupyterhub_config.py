"""JupyterHub as the load run starts it: local processes, everyone may log in, the limits that README asks for.

A real class has another spawner and another authenticator (README, "A class on one server"); the limits are the same.
"""

import itertools
import os
import resource
import sys
from pathlib import Path

c = get_config()  # noqa: F821 (JupyterHub runs this file and brings it)
homes = Path(os.environ["CLASS_HOMES"])
gigabytes = float(os.environ.get("CLASS_GIGABYTES", "1.5"))


def limit_memory() -> None:
    """What a student's processes may allocate, each: else one tensor ends the class."""
    limit = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


c.JupyterHub.bind_url = os.environ["CLASS_URL"]
c.JupyterHub.hub_port = int(os.environ["CLASS_URL"].rsplit(":", 1)[1]) + 1
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{c.JupyterHub.hub_port + 1}"
c.ConfigurableHTTPProxy.command = [os.environ["CLASS_PROXY"]]
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = str(homes / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(homes / "proxy.pid")
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.concurrent_spawn_limit = 0  # all at once
c.SimpleLocalProcessSpawner.home_dir_template = str(homes / "{username}")
c.LocalProcessSpawner.popen_kwargs = {"preexec_fn": limit_memory}
module = ["-m", "jupyterhub.singleuser"]
if warm := os.environ["CLASS_WARM"]:  # the socket of warm.py
    script = Path(__file__).parents[2] / ".github" / "class" / "warm.py"
    module = ["-I", "-S", str(script), "ask", warm, *module]
c.Spawner.cmd = [sys.executable, *module]
c.Spawner.notebook_dir = str(homes / "{username}")
# JupyterHub takes a port that is free, and the server binds it seconds later; when many start at once, another may have
# taken it meanwhile. So each student has another port, below those that Linux hands out.
numbers = itertools.count(20_000)


def own_port(spawner) -> None:
    spawner.port = next(numbers)


c.Spawner.pre_spawn_hook = own_port
c.Spawner.start_timeout = c.Spawner.http_timeout = 600
c.Spawner.environment = {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    "JUPYTER_RUNTIME_DIR": lambda spawner: str(homes / "run" / spawner.user.name),  # a socket's path: 107 letters
    "JUPYTER_PATH": str(homes / "share"),  # where the warm kernel is, if there is one
}
c.Spawner.args = [
    "--KernelManager.transport=ipc",  # kernels need no ports at all, and nobody else on the machine can listen
    "--MappingKernelManager.cull_idle_timeout=1800",  # seconds: an idle kernel gives its memory back
    "--MappingKernelManager.cull_interval=300",
    *(["--allow-root"] if os.geteuid() == 0 else []),
]
