"""ClickHouse's own HTTP listener out of chDB's library: the C entry of `clickhouse local`, which can listen.

usage: chdb-listen.py LIBRARY FOLDER PORT CONFIG. Ends when its standard input does.
"""

import ctypes
import os
import signal
import sys
import threading
import time

library, folder, port, config = sys.argv[1:]
# A query that waits for a line of a pipe keeps the engine up; a written line ends it in order.
fifo = os.path.join(folder, "stop")
if not os.path.exists(fifo):
    os.mkfifo(fifo)
hold = os.open(fifo, os.O_RDWR)
statements = [
    "CREATE DATABASE IF NOT EXISTS kt ENGINE = Atomic",
    "SYSTEM START LISTEN HTTP",
    f"SELECT * FROM file('{fifo}', LineAsString) FORMAT Null",
]
arguments = [
    "clickhouse",
    f"--path={folder}/engine",
    f"--http_port={port}",
    "--listen_host=::1",
    f"--config-file={config}",
    "--multiquery",
    "--query=" + "; ".join(statements),
]


def stop():
    sys.stdin.read()
    os.write(hold, b"stop\n")
    os.close(hold)
    # It waits five seconds for connections that are kept open.
    time.sleep(8)
    os.kill(os.getpid(), signal.SIGKILL)


threading.Thread(target=stop, daemon=True).start()
engine = ctypes.CDLL(library)
engine.query_stable_v2.restype = ctypes.c_void_p
engine.query_stable_v2(len(arguments), (ctypes.c_char_p * len(arguments))(*[one.encode() for one in arguments]))
