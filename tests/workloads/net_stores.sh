# SPDX-License-Identifier: Apache-2.0
# Servers that keep things in memory, over TCP: redis with its benchmark, memcached, iperf3 both ways and by UDP, nginx
# with wrk.
# needs: redis-server redis-benchmark redis-cli memcached iperf3 nginx wrk python3
# timeout: 150
cd "$1" && chmod 755 .
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
up() { for i in $(seq 100); do python3 -c "import socket; socket.create_connection(('127.0.0.1', $1))" 2>/dev/null && return; sleep 0.05; done; }
port=$(free)
redis-server --port "$port" --bind 127.0.0.1 --save "" --dir "$PWD" > redis.log & server=$!
up "$port"
redis-benchmark -p "$port" -n 3000 -q -t ping,set,get,lpush 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
redis-benchmark -p "$port" -n 5000 -P 16 -q -t set 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
redis-cli -p "$port" set key "some value"
redis-cli -p "$port" get key
redis-cli -p "$port" shutdown nosave; wait $server; echo "redis: $?"
port=$(free)
memcached -u nobody -l 127.0.0.1 -p "$port" & server=$!
up "$port"
python3 - "$port" <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
f = s.makefile("rwb", 0)
for i in range(300):
    f.write(b"set k%d 0 0 3\r\n%03d\r\n" % (i, i))
    assert f.readline() == b"STORED\r\n"
f.write(b"get " + b" ".join(b"k%d" % i for i in range(300)) + b"\r\n")
lines = 0
while f.readline() != b"END\r\n":
    lines += 1
print("memcached:", lines)
P
kill $server; wait $server
port=$(free)
iperf3 -s -B 127.0.0.1 -p "$port" > iperf.log & server=$!
up "$port"; sleep 0.3
iperf3 -c 127.0.0.1 -p "$port" -n 64M | grep -c receiver
iperf3 -c 127.0.0.1 -p "$port" -n 64M -R | grep -c receiver
iperf3 -c 127.0.0.1 -p "$port" -u -b 20M -t 1 | grep -c receiver
kill $server; wait $server 2>/dev/null
port=$(free)
printf "daemon off; worker_processes 2; pid $PWD/n.pid; error_log $PWD/err.log; %s events{} http { access_log off;
client_body_temp_path $PWD/b; proxy_temp_path $PWD/p; fastcgi_temp_path $PWD/f; uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s;
server { listen 127.0.0.1:$port; location / { return 200 hello; } } }" \
    "$([ "$(id -u)" = 0 ] && echo 'user nobody nogroup;')" > n.conf
nginx -c "$PWD/n.conf" 2>/dev/null & server=$!
up "$port"
wrk -t 2 -c 20 -d 1s "http://127.0.0.1:$port/" > wrk.log
grep -c Requests/sec wrk.log
grep -E 'Socket errors|Non-2xx' wrk.log
kill -QUIT $server; wait $server; echo "nginx: $?"
exit 0
