"""A student as JupyterHub sees one: logs in, opens a notebook, runs it, drags a slider, presses a button."""

import asyncio
import json
import time
import uuid
from pathlib import Path

import aiohttp


class Student:
    """One student's cookies, server and kernel. Errors are asyncio's, aiohttp's, and RuntimeError from a cell."""

    def __init__(self, hub: str, name: str):
        self.hub, self.name, self.base = hub, name, f"{hub}/user/{name}"
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.widgets: dict[str, dict] = {}  # by comm: the state it was opened with
        self.waiting: dict[str, asyncio.Future] = {}  # by message: done when the kernel is idle again
        self.failed: dict[str, str] = {}  # by message: what a cell raised
        self.updates: dict[str, int] = {}  # by comm: how often it was changed

    async def log_in(self) -> None:
        async with self.session.get(f"{self.hub}/hub/login") as page:
            await page.read()
        form = {"username": self.name, "password": "", "_xsrf": self._cookie("/hub/")}
        async with self.session.post(f"{self.hub}/hub/login?next=%2Fhub%2Fspawn", data=form) as page:
            page.raise_for_status()
        while True:  # until the student's own server shows its page
            async with self.session.get(f"{self.base}/lab") as page:
                if page.status == 200 and page.url.path.startswith(f"/user/{self.name}/"):
                    return
            await asyncio.sleep(0.5)

    def _cookie(self, path: str) -> str:
        found = [cookie.value for cookie in self.session.cookie_jar if cookie.key == "_xsrf" and cookie["path"] == path]
        return found[0] if found else ""

    def _headers(self) -> dict[str, str]:
        return {"X-XSRFToken": self._cookie(f"/user/{self.name}/")}

    async def open(self, notebook: Path) -> None:
        """Upload the notebook, as a link with nbgitpuller would have left it, and start its kernel."""
        self.cells = [c for c in json.loads(notebook.read_text())["cells"] if c["cell_type"] == "code"]
        body = {"path": notebook.name, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        async with self.session.post(f"{self.base}/api/sessions", json=body, headers=self._headers()) as answer:
            answer.raise_for_status()
            kernel = (await answer.json())["kernel"]["id"]
        self.socket = await self.session.ws_connect(f"{self.base}/api/kernels/{kernel}/channels", max_msg_size=0)
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.socket:
            if frame.type == aiohttp.WSMsgType.BINARY:  # the message, and what hangs on it, each where a number says
                first, second = (int.from_bytes(frame.data[i : i + 4], "big") for i in (4, 8))
                message = json.loads(frame.data[first:second])
            else:
                message = json.loads(frame.data)
            kind, content = message["msg_type"], message["content"]
            parent = message["parent_header"].get("msg_id")
            if kind == "comm_open":
                self.widgets[content["comm_id"]] = content["data"].get("state", {})
            elif kind == "comm_msg":
                self.updates[content["comm_id"]] = self.updates.get(content["comm_id"], 0) + 1
            elif kind == "error":
                self.failed[parent] = f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle" and parent in self.waiting:
                self.waiting.pop(parent).set_result(None)

    async def _send(self, kind: str, content: dict, timeout: float) -> float:
        """Send a message to the kernel; returns the seconds until it is idle again."""
        name, start = uuid.uuid4().hex, time.perf_counter()
        header = {"msg_id": name, "msg_type": kind, "username": self.name, "session": self.name, "version": "5.3"}
        self.waiting[name] = asyncio.get_running_loop().create_future()
        done = self.waiting[name]
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await self.socket.send_json(message)
        await asyncio.wait_for(done, timeout)
        if name in self.failed:
            raise RuntimeError(self.failed.pop(name))
        return time.perf_counter() - start

    async def execute(self, code: str, timeout: float = 600) -> float:
        return await self._send("execute_request", {"code": code, "silent": False, "store_history": True}, timeout)

    async def run_all(self) -> None:
        for cell in self.cells:
            await self.execute("".join(cell["source"]))

    def find(self, model: str, **state) -> list[str]:
        """The comms of all widgets of a model, such as FloatSliderModel, whose state has these values."""
        return [
            comm
            for comm, has in self.widgets.items()
            if has.get("_model_name") == model and all(has.get(key) == value for key, value in state.items())
        ]

    async def drag(self, slider: str, value: float) -> float:
        """Move a slider; returns the seconds until the kernel has drawn its answer."""
        data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
        return await self._send("comm_msg", {"comm_id": slider, "data": data}, 120)

    async def press(self, button: str) -> None:
        data = {"method": "custom", "content": {"event": "click"}}
        await self._send("comm_msg", {"comm_id": button, "data": data}, 120)

    async def leave(self) -> None:
        await self.session.close()
