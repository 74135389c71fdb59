# SPDX-License-Identifier: Apache-2.0
"""The load of bench_fedn.py, the same programs for FEDn's servers and for ours.

usage: fedn_load.py train URL NAME            FEDn's own FednClient; round and time of each training go to NAME.diary
       fedn_load.py hold ADDRESS COUNT        so many clients that hold a task stream on a connection of their own each,
                                              and send a heartbeat every 2 s; tasks are printed, never done; each line
                                              of input is answered by a line with the numbers until then
       fedn_load.py download ADDRESS MODEL COUNT      COUNT downloads at once, when a line of input comes
"""
import asyncio
import io
import json
import sys
import threading
import time
import uuid

import fedn.network.grpc.fedn_pb2 as messages
import fedn.network.grpc.fedn_pb2_grpc as services
import grpc
import numpy as np

HEARTBEAT_S = 2.0


def say(**what):
    print(json.dumps(what), flush=True)


def train(url, name):
    from fedn.network.clients.fedn_client import ConnectToApiResult, FednClient

    diary = open(name + ".diary", "w", encoding="utf-8", buffering=1)  # noqa: SIM115: open as long as the program runs

    def trained(model, _settings):
        diary.write(f"{client._current_context.round_id} {time.monotonic()}\n")
        with np.load(io.BytesIO(model.getbuffer())) as file:
            arrays = [file[str(i)] + np.float32(1) for i in range(len(file.files))]
        out = io.BytesIO()
        np.savez(out, **{str(i): array for i, array in enumerate(arrays)})
        out.seek(0)
        return out, {"training_metadata": {"num_examples": 10}}

    client = FednClient(trained, lambda model: {"size": len(model.getbuffer())})
    outcome, combiner = client.connect_to_api(url + "/", "", {
        "name": name, "client_id": name, "preferred_combiner": "", "package": "local"})
    if outcome is not ConnectToApiResult.Assigned or not client.init_grpchandler(combiner, name, ""):
        sys.exit(f"{name} was not taken: {outcome} {combiner}")
    client.run()


class Holder:
    """Many clients in one event loop."""

    def __init__(self, address, count):
        self.address, self.count = address, count
        self.beats, self.failed, self.slowest = 0, 0, 0.0

    async def listen(self, channel, sender, metadata):
        stream = services.CombinerStub(channel).TaskStream(messages.ClientAvailableMessage(sender=sender), metadata=metadata)
        async for task in stream:
            say(model_id=task.model_id)

    async def beat(self, channel, sender, metadata, first):
        stub = services.ConnectorStub(channel)
        await asyncio.sleep(first)
        while True:
            begun = time.monotonic()
            try:
                await stub.SendHeartbeat(messages.Heartbeat(sender=sender), metadata=metadata, timeout=30)
                self.beats += 1
            except grpc.aio.AioRpcError:
                self.failed += 1
            self.slowest = max(self.slowest, time.monotonic() - begun)
            await asyncio.sleep(HEARTBEAT_S)

    async def connect(self, index, run):
        name = f"holder-{index}-{run}"
        sender = messages.Client(name=name, role=messages.CLIENT, client_id=name)
        metadata = (("client", name), ("grpc-server", "combiner"))
        channel = grpc.aio.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)])
        await channel.channel_ready()
        return [asyncio.create_task(self.listen(channel, sender, metadata)),
                asyncio.create_task(self.beat(channel, sender, metadata, HEARTBEAT_S * index / self.count))]

    async def run(self):
        run, tasks = uuid.uuid4().hex[:8], []
        for index in range(self.count):
            tasks += await self.connect(index, run)
        asked = asyncio.create_task(self.answer())
        done, _ = await asyncio.wait(tasks + [asked], return_when=asyncio.FIRST_COMPLETED)
        if asked not in done:  # a stream ended, which no server should do
            await done.pop()
            sys.exit("a task stream ended")

    async def answer(self):
        while await asyncio.to_thread(sys.stdin.readline):
            say(beats=self.beats, failed=self.failed, slowest_s=self.slowest)
            self.slowest = 0.0


def fetch(address, model, ret):
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        request = messages.ModelRequest(id=model, sender=messages.Client(client_id="downloader", role=messages.CLIENT))
        size, part = 0, None
        for part in services.ModelServiceStub(channel).Download(request, metadata=(("client", "downloader"),)):
            size += len(part.data)
    ret.append(size if part is not None and part.status == messages.OK else -1)


def download(address, model, count):
    sizes = []
    threads = [threading.Thread(target=fetch, args=(address, model, sizes)) for _ in range(count)]
    say(ready=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(sizes=sizes)


def main():
    what, *args = sys.argv[1:]
    if what == "train":
        train(*args)
    elif what == "hold":
        asyncio.run(Holder(args[0], int(args[1])).run())
    else:
        download(args[0], args[1], int(args[2]))


if __name__ == "__main__":
    main()
