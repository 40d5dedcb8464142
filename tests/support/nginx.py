"""Debian's nginx, on a loopback port of its own, with a piece of configuration that is looked at."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.product import free_ports

# Debian has it where only root looks.
NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path=f"{Path(__file__).parents[2] / '.venv/bin'}:/usr/sbin")
needs_nginx: Final = pytest.mark.skipif(NGINX is None, reason="nginx isn't installed (Debian: nginx; make debian takes it alone)")

# One process, which needs no other user's rights and ends by one signal; nothing is written but below the folder.
_CONFIGURATION: Final = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
{server}
    }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path, server: str) -> AsyncIterator[str]:
    """Its address, with these lines inside its one `server`; ready. Raises `AssertionError` with what it says of a wrong one."""
    [port] = free_ports(1)
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(port=port, server=server))
    command = (str(NGINX), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr")
    with (folder / "nginx.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        while not await _answers(port):
            assert process.returncode is None, (folder / "nginx.log").read_text()
            await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
