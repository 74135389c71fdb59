# SPDX-License-Identifier: Apache-2.0
"""FEDn's own hooks service, at a port of our choice: its own is fixed.

usage: hooks.py host:port --ready-fd FD
"""
import os
import sys

import grpc

make = grpc.server


def server(*args, **kwargs):
    made = make(*args, **kwargs)
    listen = made.add_insecure_port
    made.add_insecure_port = lambda _address: listen(sys.argv[1])
    start = made.start

    def start_and_tell():
        start()
        os.write(int(sys.argv[3]), b"ready")

    made.start = start_and_tell
    return made


grpc.server = server
from fedn.network.combiner.hooks.hooks import serve  # noqa: E402

serve()
