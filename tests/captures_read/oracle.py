#!/usr/bin/env python3
"""What tshark finds in captures: one line for each direction of each TCP conversation.

    python3 tests/captures_read/oracle.py captures/*.pcap captures/*.pcapng > tests/captures_read/recordings.txt

Columns: capture, number of the conversation, address of the sender, direction, bytes, segments that bring new bytes, FNV-1a
digest (64 bits) of the bytes, gaps as OFFSET+LENGTH, whether it sent a FIN, whether it sent a RST. The bytes are those of
tshark's `follow,tcp,raw`, without its remarks on gaps; the rest comes from the fields of each packet. Written with tshark
4.0.17. It shares no code with the reader that is tested against it.
"""

import os
import re
import subprocess
import sys

FIELDS = [
    "tcp.stream", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.seq", "tcp.len",
    "tcp.flags.syn", "tcp.flags.ack", "tcp.flags.fin", "tcp.flags.reset", "tcp.analysis.keep_alive",
]
GAP_REMARK = re.compile(rb"\[\d+ bytes missing in capture file\]\0?")


def tshark(*arguments):
    return subprocess.run(["tshark", "-n", *arguments], capture_output=True, text=True, check=True).stdout


def digest(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) % (1 << 64)
    return f"{value:016x}"


def conversations(capture):
    fields = [argument for field in FIELDS for argument in ("-e", field)]
    streams = {}
    for line in tshark("-r", capture, "-T", "fields", *fields).splitlines():
        packet = dict(zip(FIELDS, line.split("\t")))
        streams.setdefault(int(packet["tcp.stream"]), []).append(packet)
    return streams


def followed(capture, numbers):
    follow = [argument for number in numbers for argument in ("-z", f"follow,tcp,raw,{number}")]
    bytes_of = {}
    for block in tshark("-q", "-r", capture, *follow).split("=" * 67):
        found = re.search(r"tcp\.stream eq (\d+)\nNode 0: (\S+)\nNode 1: (\S+)\n(.*)", block, re.DOTALL)
        if not found:
            continue
        number, first, second, body = int(found[1]), found[2], found[3], found[4]
        sides = {first: b"", second: b""}
        for line in body.splitlines():
            side = second if line.startswith("\t") else first
            sides[side] += bytes.fromhex(line.strip())
        bytes_of[number] = {end: GAP_REMARK.sub(b"", data) for end, data in sides.items()}
    return bytes_of


def is_set(packet, flag):
    return packet[flag] in ("1", "True")


def segments_and_gaps(packets):
    """Relative sequence numbers start at 0 with the SYN, so the first byte has 1."""
    ranges = sorted({
        (int(packet["tcp.seq"]), int(packet["tcp.len"]))
        for packet in packets
        if int(packet["tcp.len"]) > 0 and not packet["tcp.analysis.keep_alive"]
    })
    ends = [int(packet["tcp.seq"]) + int(packet["tcp.len"]) for packet in packets if is_set(packet, "tcp.flags.fin")]
    expected, segments, gaps = 1, 0, []
    for start, length in [*ranges, *((end, 0) for end in ends[:1])]:
        if start > expected:
            gaps.append(f"{expected - 1}+{start - expected}")
        segments += start + length > expected and length > 0
        expected = max(expected, start + length)
    return segments, ";".join(gaps) or "-"


def lines(capture):
    streams = conversations(capture)
    bytes_of = followed(capture, streams)
    for number, packets in sorted(streams.items()):
        opening = next(p for p in packets if is_set(p, "tcp.flags.syn") and not is_set(p, "tcp.flags.ack"))
        client = f"{opening['ip.src']}:{opening['tcp.srcport']}"
        server = f"{opening['ip.dst']}:{opening['tcp.dstport']}"
        for direction, end in ((">", client), ("<", server)):
            sent = [p for p in packets if f"{p['ip.src']}:{p['tcp.srcport']}" == end]
            data = bytes_of[number][end]
            segments, gaps = segments_and_gaps(sent)
            yield (
                os.path.basename(capture), number + 1, end, direction, len(data), segments, digest(data), gaps,
                "end" if any(is_set(p, "tcp.flags.fin") for p in sent) else "-",
                "reset" if any(is_set(p, "tcp.flags.reset") for p in sent) else "-",
            )


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        for line in lines(argument):
            print(*line)
