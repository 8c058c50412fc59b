"""Stands between Kafka clients and a server, and now and then ends a connection in place of a reply that the server gave.

The server has done what the client asked for then, and the client cannot know it. What it had sent behind that request, the server got too.
"""
import asyncio
import struct
import threading

PRODUCE, INIT_PRODUCER_ID = 0, 22


class DroppingProxy:
    """Runs until its context ends. Clients are to be told `address`; connections go to 127.0.0.1:`server_port`, if something listens there."""

    def __init__(self, server_port, every, apis=None):
        """Each `every`th reply is dropped, of those to `apis` or of all; 0: none. It may be changed at any time."""
        self.server_port, self.every, self.apis = server_port, every, apis
        self.passed = self.dropped = self.dropped_produce = 0
        self.loop, self.stop = asyncio.new_event_loop(), None
        self.address, self.is_ready = None, threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.serve(),), daemon=True)

    def __enter__(self):
        self.thread.start()
        self.is_ready.wait()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join()

    async def serve(self):
        self.stop = asyncio.Event()
        listening = await asyncio.start_server(self.connected, "127.0.0.1", 0)
        self.address = "127.0.0.1:{}".format(listening.sockets[0].getsockname()[1])
        self.is_ready.set()
        await self.stop.wait()
        listening.close()
        open_ones = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)

    async def connected(self, from_client, to_client):
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            return to_client.close()
        asked = asyncio.Queue()  # the API of each request that has no reply yet; replies come in their order
        there = asyncio.create_task(self.pass_requests(from_client, to_server, asked))
        back = asyncio.create_task(self.pass_replies(from_server, to_client, asked))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # it all ends
        finally:
            for task in (there, back):
                task.cancel()
            to_client.close()
            to_server.close()
            await asyncio.gather(there, back, return_exceptions=True)

    @staticmethod
    async def frame(stream):
        head = await stream.readexactly(4)
        return head + await stream.readexactly(struct.unpack(">i", head)[0])

    async def pass_requests(self, from_client, to_server, asked):
        while True:
            request = await self.frame(from_client)
            asked.put_nowait(struct.unpack_from(">h", request, 4)[0])
            to_server.write(request)
            await to_server.drain()

    async def pass_replies(self, from_server, to_client, asked):
        while True:
            reply = await self.frame(from_server)
            if self.drops(await asked.get()):
                return
            to_client.write(reply)
            await to_client.drain()

    def drops(self, api):
        if not self.every or (self.apis is not None and api not in self.apis):
            return False
        self.passed += 1
        if self.passed % self.every:
            return False
        self.dropped += 1
        self.dropped_produce += api == PRODUCE
        return True
