#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A name server that never answers for one zone and hands on all else.

usage: deadzone.py PORT UPSTREAM-PORT ZONE		(both on 127.0.0.1)
"""

import select
import socket
import sys


def name_of(query):
    """The name that is asked for, lower case; "" if there is none."""
    labels, at = [], 12
    while at < len(query) and 0 < query[at] < 64:
        labels.append(query[at + 1:at + 1 + query[at]])
        at += 1 + query[at]
    return b".".join(labels).decode("latin-1").lower()


def main():
    port, upstream_port, zone = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    clients = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    clients.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    clients.bind(("127.0.0.1", port))
    upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    upstream.connect(("127.0.0.1", upstream_port))
    asked = {}  # (id, name): who
    while True:
        for ready in select.select([clients, upstream], [], [])[0]:
            if ready is clients:
                query, who = clients.recvfrom(65536)
                name = name_of(query)
                if not ("." + name).endswith("." + zone):
                    asked[query[:2], name] = who
                    upstream.send(query)
            else:
                answer = upstream.recv(65536)
                who = asked.pop((answer[:2], name_of(answer)), None)
                if who is not None:
                    clients.sendto(answer, who)


if __name__ == "__main__":
    main()
