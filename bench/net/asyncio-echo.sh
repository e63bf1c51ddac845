# SPDX-License-Identifier: Apache-2.0
# Python's asyncio: a server and 10 clients in one process, each with 300 lines there and back: ns for each line.
# needs: python3
python3 - <<'P'
import asyncio
import time


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for i in range(300):
        writer.write(b"line %d\n" % i)
        await writer.drain()
        assert await reader.readline() == b"line %d\n" % i
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    start = time.perf_counter()
    await asyncio.gather(*[client(port) for _ in range(10)])
    print("%.0f" % ((time.perf_counter() - start) * 1e9 / 3000))


asyncio.run(main())
P
