# SPDX-License-Identifier: Apache-2.0
# nginx over TCP with wrk, 20 connections: ns for each request of a page of 1 KiB.
# needs: nginx wrk python3
cd "$1" && chmod 755 .
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
head -c 1024 /dev/zero > index.html
cat > nginx.conf <<C
daemon off; master_process off; pid $PWD/pid; error_log /dev/null;
events {}
http { access_log off; server { listen 127.0.0.1:$port; root $PWD; } }
C
nginx -c "$PWD/nginx.conf" 2>/dev/null & server=$!
for i in $(seq 200); do [ -s pid ] && break; sleep 0.05; done
wrk -t 1 -c 20 -d 3 "http://127.0.0.1:$port/" > wrk.out
kill $server; wait $server 2>/dev/null
awk '/^Requests\/sec/ { found = $2 } END { if (!found) exit 1; printf "%.0f\n", 1e9 / found }' wrk.out
