"""Servers with tasks, for a ``ScriptedPool``: one of 2025-11-25 and one of 2026-07-28 with the extension."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.support.scripted import Error, ScriptedLink

EXTENSION = "io.modelcontextprotocol/tasks"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
RELATED = "io.modelcontextprotocol/related-task"
QUESTION = {"method": "elicitation/create", "params": {"message": "?", "requestedSchema": {"type": "object"}}}
TEXT = [{"type": "text", "text": "done"}]


class Tasking:
    """Tools: ``long`` (task or not), ``only`` (task only), ``asks`` (task only, wants input), ``fails``."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.states = 2
        """How often a task is still working when it is asked for."""
        self.answers: list[Any] = []

    def new(self, tool: str) -> dict[str, Any]:
        task_id = f"task-{len(self.tasks) + 1}"
        task = self.tasks[task_id] = {"taskId": task_id, "tool": tool, "status": "working", "asked": 0}
        return task

    def find(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self.tasks.get(params.get("taskId", ""))
        if task is None:
            raise Error(-32602, "Failed to retrieve task: Task not found")
        return task

    def step(self, task: dict[str, Any]) -> None:
        task["asked"] += 1
        if task["status"] == "working" and task["asked"] > self.states:
            asks = task["tool"] == "asks" and not self.answers
            task["status"] = "input_required" if asks else "completed"
            if task["tool"] == "fails":
                task["status"] = "failed"


class Core(Tasking):
    """2025-11-25."""

    capabilities: ClassVar[dict[str, Any]] = {
        "tools": {},
        "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}},
    }

    def __call__(self, link: ScriptedLink, message: dict[str, Any]) -> Any:  # noqa: C901 - a list of cases
        method, params = message.get("method"), message.get("params", {})
        if method is None:
            self.answers.append(message.get("result"))
            for task in self.tasks.values():
                if task["status"] == "input_required":
                    task["status"] = "completed"
                    link.say({"id": task.pop("waits"), "result": self.result(task)})
            return None
        if method == "tools/list":
            support = {"long": "optional", "only": "required", "asks": "required", "plain": "forbidden"}
            return {
                "tools": [
                    {"name": name, "inputSchema": {"type": "object"}, "execution": {"taskSupport": kind}}
                    for name, kind in support.items()
                ]
            }
        if method == "tools/call":
            if "task" in params:
                return {"task": self.shown(self.new(params["name"]))}
            if params["name"] in ("only", "asks"):
                raise Error(-32601, "Task augmentation required")
            return {"content": TEXT}
        if method == "tasks/list":
            return {"tasks": [self.shown(task) for task in self.tasks.values()]}
        task = self.find(params)
        if method == "tasks/cancel":
            task["status"] = "cancelled"
        elif method == "tasks/result":
            if task["status"] == "input_required":
                task["waits"] = message["id"]
                meta = {RELATED: {"taskId": task["taskId"]}}
                link.say({"id": 77, **QUESTION, "params": {**QUESTION["params"], "_meta": meta}})  # type: ignore[dict-item]
                return None
            return self.result(task)
        self.step(task)
        return self.shown(task)

    def shown(self, task: dict[str, Any]) -> dict[str, Any]:
        at = "2025-11-25T10:30:00Z"
        dates = {"createdAt": at, "lastUpdatedAt": at, "ttl": 60000, "pollInterval": 50}
        return {"taskId": task["taskId"], "status": task["status"], **dates}

    def result(self, task: dict[str, Any]) -> dict[str, Any]:
        return {"content": TEXT, "_meta": {RELATED: {"taskId": task["taskId"]}, "com.example/kept": 1}}


class Extension(Tasking):
    """2026-07-28."""

    capabilities: ClassVar[dict[str, Any]] = {"tools": {}, "extensions": {EXTENSION: {}}}

    def __call__(self, link: ScriptedLink, message: dict[str, Any]) -> Any:
        method, params = message.get("method"), message.get("params", {})
        declared = EXTENSION in params["_meta"][CAPABILITIES].get("extensions", {})
        if method == "tools/list":
            return {"tools": []}
        if method == "tools/call":
            if not declared and params["name"] == "long":
                return {"resultType": "complete", "content": TEXT}
            if not declared:
                needs: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
                raise Error(-32021, "Missing required client capability", needs)
            return {"resultType": "task", **self.shown(self.new(params["name"]))}
        task = self.find(params)
        if method == "tasks/cancel":
            task["status"] = "cancelled"
            return {"resultType": "complete"}
        if method == "tasks/update":
            self.answers.append(params["inputResponses"])
            task["status"] = "working"
            return {"resultType": "complete"}
        self.step(task)
        more: dict[str, Any] = {}
        if task["status"] == "completed":
            more["result"] = {"resultType": "complete", "content": TEXT}
        elif task["status"] == "failed":
            more["error"] = {"code": -32050, "message": "broken", "data": {"why": 1}}
        elif task["status"] == "input_required":
            more["inputRequests"] = {"q1": QUESTION}
        return {"resultType": "complete", **self.shown(task), **more}

    def shown(self, task: dict[str, Any]) -> dict[str, Any]:
        at = "2026-07-28T10:30:00Z"
        dates = {"createdAt": at, "lastUpdatedAt": at, "ttlMs": 60000, "pollIntervalMs": 50}
        return {"taskId": task["taskId"], "status": task["status"], **dates}
