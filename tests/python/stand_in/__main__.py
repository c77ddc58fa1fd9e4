"""The stand-in as a separate process, so it outlives a client that is killed."""

import argparse
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from stand_in.server import KEY, StandIn


def main() -> None:
    """Serve until the process is ended; the first line printed is the address."""
    parser = argparse.ArgumentParser(description="A stand-in for the Anthropic API.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", default=KEY, help="the key that clients must send")
    parser.add_argument("--seconds", type=float, default=0.0, help="until a batch ends")
    parser.add_argument("--seed", type=int, default=0, help="of the order of results and of faults")
    options = parser.parse_args()
    with StandIn(**vars(options)) as server:
        print(server.address, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
