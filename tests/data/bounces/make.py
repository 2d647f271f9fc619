#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Write corpus.gz from a folder of bounces and the truth about them.

    tests/data/bounces/make.py FOLDER

FOLDER holds mail/NAME.eml and truth.json (a list of {name, kind, null_sender,
orig_where, orig_msgid, orig_from, orig_to}). corpus.gz has, for each of them,

    NAME KIND IS_NULL HAS_STATUS SIZE OURS_SIZE MESSAGE-ID

a line, then SIZE octets: the message as it came, then OURS_SIZE octets: the
same with a header of a message of ours in place of the one that it returns
(0: it returns none). That place is found by where the truth says that the
original's Message-ID or author is, not by what mail/report.c does.
"""
import base64
import gzip
import json
import pathlib
import re
import sys

OURS = """Received: from desk.example.org (desk.example.org [192.0.2.9])
\tby mx.ours.test (Postern) with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384)
\tid k3f9q2m7t-1-20750-abcdefghij
\tfor <rcpt@theirs.test>; Mon, 25 Oct 2026 10:00:00 +0000
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=ours.test;
\ts=k1; t=1792922400; h=from:to:subject:date:message-id; bh=AAAA; b=BBBB
From: Alice Example <alice@ours.test>
To: Somebody <rcpt@theirs.test>
Subject: Our own words
Date: Mon, 25 Oct 2026 10:00:00 +0000
Message-ID: <20261025100000.k3f9q2m7t@mx.ours.test>
MIME-Version: 1.0
Content-Type: text/plain
""".rstrip("\n").split("\n")
FIELD = re.compile(r"[ >|]*[A-Za-z][A-Za-z0-9_-]*[ \t]*:")


def block_of(lines, at):
    """First and last line of the run of fields around a line."""
    prefix = re.match(r"[ >|]*", lines[at]).group()

    def is_in(line):
        if not line.startswith(prefix) or not line[len(prefix):].strip():
            return False
        rest = line[len(prefix):]
        return rest[0] in " \t" or FIELD.match(rest) is not None

    first = last = at
    while first > 0 and is_in(lines[first - 1]):
        first -= 1
    while last + 1 < len(lines) and is_in(lines[last + 1]):
        last += 1
    while lines[first][len(prefix)] in " \t":
        first += 1
    return first, last, prefix


def place_of(lines, truth, end):
    """The last line before end of the original's Message-ID, or author."""
    body = lines.index("") if "" in lines else len(lines)
    wanted = truth["orig_msgid"]
    if wanted:
        name, text = r"message-id", wanted.strip("<>")
    elif truth["orig_from"]:
        name, text = r"from", truth["orig_from"]
    else:
        return None
    for n in range(end - 1, body, -1):
        if re.match(rf"[ >|]*{name}[ \t]*:", lines[n], re.I) and \
                text in "".join(lines[n:n + 2]):
            return n
    return None


def put_ours(text, truth):
    """Each header that is returned: some stand in words and in a part."""
    lines = text.split("\n")
    at = place_of(lines, truth, len(lines))
    if at is None:
        return None
    while at is not None:
        first, last, prefix = block_of(lines, at)
        encoded = [line.replace("=", "=3D") for line in OURS] \
            if any(line.endswith("=") or "=3D" in line or "=09" in line
                   for line in lines[first:last + 1]) else OURS
        lines[first:last + 1] = [prefix + line for line in encoded]
        at = place_of(lines, truth, first) if truth["orig_msgid"] else None
    return "\n".join(lines)


def put_into_base64(text, truth):
    head, _, body = text.partition("\n\n")
    if "base64" not in head.lower():
        return None
    try:
        plain = base64.b64decode(body, validate=False).decode("latin-1")
    except ValueError:
        return None
    ours = put_ours("\n" + plain.replace("\r\n", "\n"), truth)
    if ours is None:
        return None
    return head + "\n\n" + base64.encodebytes(
        ours.encode("latin-1")).decode()


def main(folder):
    out = []
    truths = json.loads((folder / "truth.json").read_text())
    for truth in truths:
        name = truth["name"].split("/")[-1]
        text = (folder / "mail" / name).read_bytes().decode("latin-1")
        ours = None
        if truth["orig_where"] != "none":
            ours = put_ours(text, truth) or put_into_base64(text, truth)
            if ours is None:
                print("no place for ours:", name, truth["orig_where"])
        ident = re.sub(r"\s", "", truth["orig_msgid"] or "-")
        out.append(f"{name} {truth['kind']} {int(bool(truth['null_sender']))}"
                   f" {int(truth['well_formed_dsn'])} {len(text)}"
                   f" {len(ours or '')} {ident}\n{text}{ours or ''}")
    with open(pathlib.Path(__file__).parent / "corpus.gz", "wb") as f:
        f.write(gzip.compress("".join(out).encode("latin-1"), 9, mtime=0))


main(pathlib.Path(sys.argv[1]))
