"""As `python -m scorers`, on a head without CPUs and more nodes of Ray, all on this machine; strategies of any name, whose model sleeps.

python -m benchmarks.scaling.cluster --settings FILE      (strategies: {surge: {options: {batch_ms: 100}}})

Once a second it writes a line of JSON to `replicas.jsonl` beside the settings: what there is of each strategy, and on how many nodes.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.imitated.models import ImitatedReplica
from pointsman.runtime.scorer_deployment import LOGGING, SERVICER
from pointsman.runtime.settings import Settings
from scorers import serve
from scorers.instance import Instance
from scorers.reload import Deployed
from scorers.serve import _stop as stop_one

NODES: Final = 3
CPUS: Final = 4
"""Of each node; a replica takes one."""
_held: list[Any] = []  # Ray's nodes live as long as this process


def start(settings: Settings, instance: Instance) -> None:
    """In the place of `scorers.serve`'s own, which starts one node."""
    import ray
    from ray import serve as ray_serve
    from ray.cluster_utils import Cluster
    from ray.serve.config import HTTPOptions, gRPCOptions

    os.environ["RAY_TMPDIR"] = str(instance.folder)  # where the address of a cluster is left for others to find
    shared = {"node_ip_address": "127.0.0.1", "object_store_memory": settings.scorers.object_store_bytes, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "temp_dir": str(instance.folder / "ray"), **shared})
    for _ in range(NODES):
        cluster.add_node(num_cpus=CPUS, **shared)
    _held.append(cluster)
    ray.init(address=cluster.address, namespace="pointsman", log_to_driver=False, logging_level="ERROR")
    ray_serve.start(
        # One proxy: those of several nodes would want the same port of this machine.
        proxy_location="HeadOnly",
        http_options=HTTPOptions(host=settings.scorers.host, port=instance.http_port),
        grpc_options=gRPCOptions(port=instance.grpc_port, grpc_servicer_functions=[SERVICER]),
        logging_config=LOGGING,
    )
    ray_serve.run_many(
        [serve._target(name, Deployed.of(strategy), settings.tracing) for name, strategy in settings.strategies.items()],
        wait_for_ingress_deployment_creation=False,
        wait_for_applications_running=False,
    )
    file = Path(sys.argv[-1]).parent / "replicas.jsonl"
    threading.Thread(target=_watch, args=(file,), daemon=True).start()


def stop(instance: Instance) -> None:
    """Ends what `scorers.serve`'s own ends, and the agents of all nodes, which have written their titles over what it knows them by."""
    below = psutil.Process().children(recursive=True)
    stop_one(instance)
    for process in below:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _watch(file: Path) -> None:
    from ray.serve.context import _get_global_client

    with file.open("w", encoding="utf-8") as out:
        while True:
            try:
                details = _get_global_client().get_serve_details()
            except Exception:  # noqa: BLE001 (Serve stops, at the end)
                return
            line: dict[str, Any] = {"at": time.time()}
            for name, application in details["applications"].items():
                for deployment in application["deployments"].values():
                    running = [each for each in deployment["replicas"] if each["state"] == "RUNNING"]
                    nodes = len({each["node_id"] for each in running})
                    line[name] = {"running": len(running), "target": deployment["target_num_replicas"], "nodes": nodes}
            out.write(json.dumps(line) + "\n")
            out.flush()
            time.sleep(1)


def main() -> int:
    """As `python -m scorers`."""
    from pointsman.runtime.process import main as run
    from scorers.process import serve as serving

    vars(serve).update(ScorerReplica=ImitatedReplica, _start=start, _stop=stop)
    return run("scorers", serving)


if __name__ == "__main__":
    from benchmarks.scaling.cluster import main as imported  # not __main__'s: replicas find the class by its module's name

    sys.exit(imported())
