"""A worker in Python, which only needs the standard library: the stage `mine/square`.

`pretext` starts it as the recipe's `workers:` says, sends one JSON object a line on standard input, and reads one a line
from standard output; what is printed to standard error becomes the stage's log. The messages are those of
pipeline/protocol/src/lib.rs. In a recipe:

    workers:
      mine: { command: [python3, square.py], kinds: [mine/square], code: [square.py] }
    stages:
      squared: { use: mine/square, needs: { number: STAGE }, with: { times: 2 } }
"""

import json
import os
import queue
import sys
import threading
import time

PROTOCOL = 1
HEARTBEAT_SECONDS = 2

# What this worker can do. `numerics` and each kind's `version` count in the key of every result: raise the version when
# the same parameters and inputs give something else than before.
CATALOGUE = {
    "type": "catalogue",
    "numerics": "python integers",
    "kinds": [
        {
            "name": "mine/square",
            "version": 1,
            "summary": "the number on `number`, squared so many times",
            "needs": [{"name": "number", "type": "number", "required": True, "used": True, "doc": "what is squared"}],
            "gives": [{"name": "square", "type": "number", "doc": "the square"}],
            "params": {
                "type": "object",
                "properties": {
                    "times": {"type": "integer", "minimum": 1, "default": 1, "description": "how often it is squared"},
                    "seconds": {"type": "number", "minimum": 0, "default": 0, "description": "how long each time takes"},
                },
            },
            "measures": [{"name": "digits", "splits": [], "unit": "", "doc": "how long the number is"}],
        }
    ],
}

talking = threading.Lock()
stopping = threading.Event()


class Stopped(Exception):
    """The user wants to stop; what was saved goes on next time."""


def say(message):
    with talking:
        print(json.dumps(message), flush=True)


def square(run):
    """Computes a stage. Outputs go to `out/NAME/`, whatever differs from run to run to `side/` or nowhere."""
    with open(os.path.join(run["inputs"]["number"], "value.txt")) as file:
        number = int(file.read())
    done, number = restored(run) or (0, number)
    times = run["params"]["times"]
    while done < times:
        if stopping.is_set():
            raise Stopped
        time.sleep(run["params"]["seconds"])
        done, number = done + 1, number * number
        save(run, done, number)
        say({"type": "progress", "id": run["id"], "phase": "square", "done": done, "total": times, "unit": "times"})
    folder = os.path.join(run["out"], "square")
    os.makedirs(folder)
    with open(os.path.join(folder, "value.txt"), "w") as file:
        file.write(f"{number}\n")
    say({"type": "measure", "id": run["id"], "name": "digits", "value": len(str(number))})


def save(run, done, number):
    """Writes a checkpoint under another name and renames it, so that there is never half of one.

    A folder with something in it cannot be renamed to, so the old one is moved out of the way first. The moment without
    one is short, and who is killed just then begins anew."""
    place = os.path.join(run["scratch"], "checkpoint")
    new = os.path.join(run["scratch"], f"new-{done}")
    os.makedirs(new)
    with open(os.path.join(new, "state.json"), "w") as file:
        json.dump([done, number], file)
    if os.path.exists(place):
        os.rename(place, os.path.join(run["scratch"], f"old-{done}"))
    os.rename(new, place)


def restored(run):
    """What an earlier attempt had reached."""
    if run["resume"] is None:
        return None
    with open(os.path.join(run["resume"], "checkpoint", "state.json")) as file:
        return json.load(file)


def compute(run):
    ended = threading.Event()
    threading.Thread(target=beat, args=(run["id"], ended), daemon=True).start()
    try:
        square(run)
        say({"type": "done", "id": run["id"], "cost": {}})
    except Stopped:
        say({"type": "stopped", "id": run["id"]})
    except Exception as error:  # whatever it is, the stage has failed and the worker goes on
        say({"type": "failed", "id": run["id"], "error": f"{type(error).__name__}: {error}"})
    finally:
        ended.set()


def beat(run_id, ended):
    """A sign of life, without which `pretext` takes the worker to hang."""
    while not ended.wait(HEARTBEAT_SECONDS):
        say({"type": "heartbeat", "id": run_id})


def listen(requests):
    """Reads requests beside the stage that runs, so that it hears of a stop."""
    for line in sys.stdin:
        request = json.loads(line)
        if request["type"] == "stop":
            stopping.set()
        requests.put(request)
    os._exit(0)  # `pretext` is gone


def main():
    requests = queue.Queue()
    threading.Thread(target=listen, args=(requests,), daemon=True).start()
    while True:
        request = requests.get()
        if request["type"] == "hello":
            say({"type": "hello", "protocol": PROTOCOL, "worker": "square.py", "version": "1"})
        elif request["type"] == "describe":
            say(CATALOGUE)
        elif request["type"] == "run":
            compute(request)
        elif request["type"] == "stop":
            return


if __name__ == "__main__":
    main()
