# SPDX-License-Identifier: Apache-2.0
# redis-benchmark, SET by 20 connections, 16 requests at a time: ns for each.
# needs: redis-server redis-benchmark redis-cli python3
cd "$1" && chmod 755 .
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
redis-server --port "$port" --bind 127.0.0.1 --save "" --dir "$PWD" > redis.log & server=$!
for i in $(seq 200); do redis-cli -p "$port" ping > ping.out 2>/dev/null && grep -q PONG ping.out && break; sleep 0.05; done
redis-benchmark -p "$port" -c 20 -n 200000 -P 16 -t set --csv > bench.out
redis-cli -p "$port" shutdown nosave; wait $server
awk -F '"' '$2 == "SET" { found = $4 } END { if (!found) exit 1; printf "%.0f\n", 1e9 / found }' bench.out
