# SPDX-License-Identifier: Apache-2.0
# python: asyncio streams, subprocesses, unix servers, signals, locks, executors.
# places: overlay
# needs: python3
cat > .tmp/p.py <<'P'
import asyncio, os, signal, sys
async def handle(r, w):
    while line := await r.readline():
        w.write(line.upper()); await w.drain()
    w.close()
async def talk(opener, n):
    r, w = await opener()
    for i in range(n):
        w.write(b"line %d\n" % i); assert await r.readline() == b"LINE %d\n" % i
    w.close(); await w.wait_closed(); return n
async def main():
    s = await asyncio.start_server(handle, "127.0.0.1", 0); port = s.sockets[0].getsockname()[1]
    u = await asyncio.start_unix_server(handle, "sock")
    print(sum(await asyncio.gather(*[talk(lambda: asyncio.open_connection("127.0.0.1", port), 20) for _ in range(10)])))
    print(sum(await asyncio.gather(*[talk(lambda: asyncio.open_unix_connection("sock"), 20) for _ in range(10)])))
    s.close(); u.close()
    p = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    print(len((await p.communicate(b"x" * 300000))[0]), p.returncode)
    ps = [await asyncio.create_subprocess_shell("exit %d" % i) for i in range(8)]; print([await p.wait() for p in ps])
    got = asyncio.Event(); asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set); os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(got.wait(), 5); print("signal")
    try: await asyncio.wait_for(asyncio.sleep(9), 0.05)
    except asyncio.TimeoutError: print("timeout")
    print(await asyncio.to_thread(sum, range(1000)))
    try: await asyncio.open_connection("127.0.0.1", 1)
    except OSError as e: print(e.errno)
    try: await asyncio.open_unix_connection("sock")
    except OSError as e: print(e.errno)
asyncio.run(main())
P
python3 .tmp/p.py; rm -f .tmp/p.py
