#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""faultctl - say which named points of a FAULTS build fail, and how.

    faultctl.py FILE create
    faultctl.py FILE set POINT (errno=NAME | kill | sleep=MS)
                         [after=N] [count=N] [role=NAME]
    faultctl.py FILE clear
    faultctl.py FILE list

The server is started with POSTERN_FAULTS=FILE in its environment and maps
the file when it starts, so `create` comes first; later changes count at once.
count defaults to 1, 0 means always. Also a module: Faults(path).
"""
import errno
import mmap
import os
import struct
import sys

SLOTS = 64
# is_armed action value after count hits role point: lib/fault.c's fault_slot
LAYOUT = struct.Struct("=IIIiiI24s80s")
ACTIONS = {"errno": 1, "kill": 2, "sleep": 3}


class Faults:
    """The control file, mapped like the server maps it."""

    def __init__(self, path, create=False):
        if create:
            with open(path, "wb") as f:
                f.write(bytes(SLOTS * LAYOUT.size))
            os.chmod(path, 0o666)   # the compartments have other uids
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), SLOTS * LAYOUT.size)

    def slots(self):
        """Yield (index, fields) of every armed slot."""
        for i in range(SLOTS):
            fields = LAYOUT.unpack_from(self.map, i * LAYOUT.size)
            if fields[0]:
                yield i, fields

    def set(self, point, action, value=0, after=0, count=1, role=""):
        """Arm a free slot; returns its index for hits()."""
        if action not in ACTIONS:
            raise ValueError("action is errno, kill or sleep")
        if len(point) > 79 or len(role) > 23:
            raise ValueError("name too long")
        used = {i for i, _ in self.slots()}
        index = next(i for i in range(SLOTS) if i not in used)
        at = index * LAYOUT.size
        LAYOUT.pack_into(self.map, at, 0, ACTIONS[action], value, after,
                         count if count else -1, 0, role.encode(),
                         point.encode())
        struct.pack_into("=I", self.map, at, 1)
        return index

    def hits(self, index):
        """How often the slot has struck."""
        return LAYOUT.unpack_from(self.map, index * LAYOUT.size)[5]

    def clear(self):
        """Disarm everything."""
        for i in range(SLOTS):
            struct.pack_into("=I", self.map, i * LAYOUT.size, 0)


def parse(words):
    """The words after `set POINT` as keyword arguments of Faults.set."""
    out = {}
    for word in words:
        key, _, value = word.partition("=")
        if key == "errno":
            out["action"] = "errno"
            out["value"] = int(value) if value.isdigit() \
                else getattr(errno, value)
        elif key == "sleep":
            out["action"], out["value"] = "sleep", int(value)
        elif key == "kill" and not value:
            out["action"] = "kill"
        elif key in ("after", "count"):
            out[key] = int(value)
        elif key == "role":
            out["role"] = value
        else:
            raise ValueError("cannot read %r" % word)
    if "action" not in out:
        raise ValueError("say errno=, kill or sleep=")
    return out


def main(argv):
    """The command line; see the top of the file."""
    if len(argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    path, verb, words = argv[1], argv[2], argv[3:]
    faults = Faults(path, create=verb == "create")
    if verb == "set" and words:
        try:
            print(faults.set(words[0], **parse(words[1:])))
        except (ValueError, AttributeError) as error:
            print("faultctl: %s" % error, file=sys.stderr)
            return 2
    elif verb == "clear":
        faults.clear()
    elif verb == "list":
        for i, f in faults.slots():
            print(i, f[7].rstrip(b"\0").decode(), "action=%d value=%d "
                  "after=%d count=%d hits=%d role=%s" %
                  (f[1], f[2], f[3], f[4], f[5], f[6].rstrip(b"\0").decode()))
    elif verb != "create":
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
