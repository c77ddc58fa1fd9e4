"""Engines: what runs the tasks of a build."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from latent_probes.cluster.coordinator import Engine
from latent_probes.cluster.faults import ClusterError
from latent_probes.cluster.parts import build_in_arrow, build_part

# How often a task is run again whose process or machine was lost, or whose storage failed.
RETRIES = 3
NO_RAY = (
    "Ray is not installed: install it with `pip install --require-hashes --no-deps -r "
    "requirements-cluster.lock`"
)


def here(orders: list[str]) -> Iterator[str]:
    """Run the tasks in this process, one after another."""
    yield from map(build_part, orders)


@contextmanager
def on_ray(address: str | None) -> Iterator[Engine]:
    """Run them on a Ray cluster, each on one CPU. Raises as ``connected`` does."""
    with connected(address) as ray:
        yield lambda orders: run_on_ray(ray, orders)


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Ray, connected to a cluster or, if there is no address, to one that is started here.

    A process that is connected to Ray already stays so. Raises ClusterError if Ray is missing or
    the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError as error:
        raise ClusterError(NO_RAY) from error
    if ray.is_initialized():
        yield ray
        return
    # On a busy machine Ray starts in more than the 30 seconds that it waits for.
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")
    try:
        # Without "local", Ray would use any cluster that it finds on this machine.
        ray.init(
            address=address or "local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    # Ray raises whatever it meets, such as Exception where it does not start in time.
    except Exception as error:
        where = address or "this machine"
        raise ClusterError(f"no Ray cluster can be used at {where}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def on_spark(session: Any) -> Engine:
    """Run them in a Spark session, whose machines have the package; not tested on Spark."""

    def run(orders: list[str]) -> Iterator[str]:
        rows = session.createDataFrame([(order,) for order in orders], "task string")
        made = rows.repartition(len(orders)).mapInArrow(build_in_arrow, "receipt string")
        yield from (row.receipt for row in made.collect())

    return run


def run_on_ray(ray: Any, orders: list[str]) -> Iterator[str]:
    """Submit all tasks, and yield their receipts as they come."""
    task = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=[OSError])(build_part)
    waiting = {task.remote(order): order for order in orders}
    while waiting:
        (ended,), _ = ray.wait(list(waiting), num_returns=1)
        del waiting[ended]
        try:
            yield ray.get(ended)
        except ray.exceptions.RayTaskError as error:
            raise ClusterError(f"a part was not built: {error.cause}") from error
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"a part was not built, although it was tried {RETRIES + 1} times: {error}; what "
                "is built is kept: run the same command again"
            ) from error
