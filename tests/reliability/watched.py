"""Runs a command where it can reach nobody, and tells what it said to whom and what it wrote.

    unshare --net --mount python -m tests.reliability.watched COMMAND ...

In namespaces of its own every address there is leads back to this machine, where all packets are
read; and over every folder lies another one that takes what is written. Prints one line of JSON:

    {"returncode": 0, "said": ["udp 10.0.0.1:53 who.example.org"], "wrote": ["/root/.cache/it"]}

Not seen are files that are deleted again, what is below /dev and /run, and what is said through a
Unix socket.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

NOT_WRITTEN_TO = {"proc", "sys", "dev", "run", "boot", "lost+found"}
ABOVE = Path("/run")
"""Where what is written ends up; sockets of who would look names up for others are not there."""
TCP, UDP = 6, 17
SYN, ACK = 2, 16
DNS = 53
# Of Linux; Python's socket has no names for them.
ETH_P_ALL, SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS = 3, 33, 263, 6
ROOM = 1 << 28


def shut_in() -> None:
    """Nothing but loopback, which answers for everybody; and what is written goes to ``ABOVE``."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo")
    if Path("/proc/net/if_inet6").exists():
        _run("ip", "-6", "route", "add", "local", "::/0", "dev", "lo")
    _run("mount", "-t", "tmpfs", "tmpfs", str(ABOVE))
    for below in Path("/").iterdir():
        if below.is_dir() and not below.is_symlink() and below.name not in NOT_WRITTEN_TO:
            above, work = ABOVE / "up" / below.name, ABOVE / "work" / below.name
            above.mkdir(parents=True)
            work.mkdir(parents=True)
            layers = f"lowerdir={below},upperdir={above},workdir={work}"
            _run("mount", "-t", "overlay", "overlay", "-o", layers, str(below))


def wrote() -> list[str]:
    """Files and empty folders; of the folders that they are in there is a copy above."""
    found = (ABOVE / "up").glob("*/**/*")
    return sorted(f"/{p.relative_to(ABOVE / 'up')}" for p in found if not any(_children(p)))


class Listener(threading.Thread):
    """Reads all packets.

    Attributes:
        said: to whom something was sent or a connection was opened, and names that were asked for.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.said: set[str] = set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)

    def run(self) -> None:
        """Until the process ends."""
        while True:
            if text := _told(self._socket.recv(2048)):
                self.said.add(text)

    def lost(self) -> int:
        """Packets that there was no room for."""
        counts = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        return int(struct.unpack("II", counts)[1])


def _told(packet: bytes) -> str:
    """What is new in an IP packet; empty for the rest of a connection, and for answers."""
    six = packet[0] >> 4 == 6
    header = 40 if six else (packet[0] & 15) * 4
    protocol = packet[6] if six else packet[9]
    target = ipaddress.ip_address(packet[24:40] if six else packet[16:20])
    port = int.from_bytes(packet[header + 2 : header + 4], "big")
    if protocol == TCP and packet[header + 13] & (SYN | ACK) == SYN:
        return f"tcp {target}:{port}"
    if protocol == UDP:
        name = _question(packet[header + 20 :]) if port == DNS else ""
        return f"udp {target}:{port} {name}".strip()
    return ""


def _question(rest: bytes) -> str:
    labels = []
    while rest and rest[0]:
        labels.append(rest[1 : 1 + rest[0]].decode("ascii", "replace"))
        rest = rest[1 + rest[0] :]
    return ".".join(labels)


def _children(path: Path) -> list[Path]:
    return [*path.iterdir()] if path.is_dir() and not path.is_symlink() else []


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


def main() -> None:
    """Run what the command line says."""
    shut_in()
    listener = Listener()
    listener.start()
    os.chdir(Path.cwd())  # what lies over it now
    done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    time.sleep(0.2)
    if lost := listener.lost():
        sys.exit(f"{lost} packets were not read")
    told = {"returncode": done.returncode, "said": sorted(listener.said), "wrote": wrote()}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
