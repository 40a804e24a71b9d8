"""Start a service and ask it for a region, as a program on another machine would; needs `pip install 'localsr[serve]'`.

python examples/service_and_client.py street.jpg sign.png
"""

import subprocess
import sys

import localsr


def main(source: str, target: str) -> None:
    """Serve on a free port, restore a region, and end the service."""
    command = [sys.executable, "-m", "localsr", "serve", "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            address = service.stdout.readline().removeprefix("localsr: ").strip()  # once it listens
            with localsr.Client(address) as client:
                scene = client.encode(source)  # from here on as with a scene of this process
                scene.restore(localsr.Box(40, 60, 168, 156)).save(target)
        finally:
            service.terminate()
    print(f"{target}: restored by {address}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
