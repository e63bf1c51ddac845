# SPDX-License-Identifier: Apache-2.0
# postgres over TCP: a cluster of its own, pgbench with two clients, what psql reads of it; it ends in order.
# needs: psql pgbench python3 setpriv
# timeout: 300
cd "$1" && chmod 755 .
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
[ -n "$bin" ] || { echo "no server"; exit 0; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir data && [ "$(id -u)" != 0 ] || chown 65534:65534 data
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ "$@"; else "$@"; fi; }
as "$bin/initdb" -D "$PWD/data" -U me -A trust -N --no-locale > initdb.log 2>&1; echo "initdb: $?"
as "$bin/postgres" -D "$PWD/data" -p "$port" -h 127.0.0.1 -k "" -F -c shared_buffers=8MB -c max_connections=10 > server.log 2>&1 & server=$!
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=me PGDATABASE=postgres
for i in $(seq 300); do psql -qAtc 'select 1' > first 2>/dev/null && break; sleep 0.1; done
cat first
pgbench -i -s 1 -q > init.log 2>&1; echo "pgbench -i: $?"
pgbench -c 2 -j 2 -t 50 > bench.log 2>&1; echo "pgbench: $?"
grep 'actually processed' bench.log
psql -qAtc 'select count(*) from pgbench_accounts; select count(*) from pgbench_history; select inet_server_addr();'
psql -qAtc "copy (select * from generate_series(1, 20000)) to stdout" | cksum
kill -INT "$(head -1 data/postmaster.pid)"; wait $server; echo "postgres: $?"
