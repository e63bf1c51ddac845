# SPDX-License-Identifier: Apache-2.0
# python on 127.0.0.1 and ::1: http.server with urllib in threads, an asyncio echo server with ten clients at a time, names.
# needs: python3
# timeout: 120
cd "$1" && seq 3000 > file.txt
cat > web.py << 'END'
import functools, http.server, socket, threading, urllib.request
class Six(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
handler = type("H", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *a: None})
want = open("file.txt", "rb").read()
for make, host in ((http.server.ThreadingHTTPServer, "127.0.0.1"), (Six, "::1")):
    server = make((host, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://%s:%d/file.txt" % ("[::1]" if ":" in host else host, server.server_port)
    same = [0]
    def get():
        for _ in range(20):
            same[0] += urllib.request.urlopen(url).read() == want
    threads = [threading.Thread(target=get) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    try:
        urllib.request.urlopen(url + ".missing")
    except urllib.error.HTTPError as e:
        print(host, "answers of 80 right:", same[0] >= 76, "missing:", e.code)
    server.shutdown()
    server.server_close()
    try:
        urllib.request.urlopen(url)
    except urllib.error.URLError as e:
        print(host, "after the end:", e.reason)
END
python3 web.py
cat > echo.py << 'END'
import asyncio
async def serve(reader, writer):
    while data := await reader.read(1000):
        writer.write(data.upper())
        await writer.drain()
    writer.close()
async def client(host, port, n):
    reader, writer = await asyncio.open_connection(host, port)
    for i in range(n):
        line = b"line %d of client\n" % i
        writer.write(line)
        if await reader.readexactly(len(line)) != line.upper():
            return False
    writer.close()
    await writer.wait_closed()
    return True
async def main():
    for host in "127.0.0.1", "::1":
        server = await asyncio.start_server(serve, host, 0)
        port = server.sockets[0].getsockname()[1]
        done = await asyncio.gather(*(client(host, port, 100) for _ in range(10)))
        print(host, "clients:", sum(done))
        server.close()
asyncio.run(main())
END
python3 echo.py
python3 - << 'END'
import socket
print(sorted({a[4][0] for a in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)} & {"127.0.0.1"}))
a, b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
a.bind(("localhost", 0)); b.connect(a.getsockname())
b.send(b"datagram"); print(a.recvfrom(100)[0])
s = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
c = socket.create_connection(("127.0.0.1", s.getsockname()[1])); print(s.accept()[1][0])
print(socket.if_nameindex()[0])
END
