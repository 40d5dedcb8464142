"""RouteLLM's own server, on loopback: it binds every interface and has no option for that.

.venv/routellm/bin/python benchmarks/proxies/routellm_server.py --routers random …
"""

import runpy

import uvicorn

_serve = uvicorn.run


def _on_loopback(app: object, **options: object) -> None:
    _serve(app, **{**options, "host": "127.0.0.1"})  # type: ignore[arg-type]


uvicorn.run = _on_loopback
runpy.run_module("routellm.openai_server", run_name="__main__")
