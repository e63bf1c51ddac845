# SPDX-License-Identifier: Apache-2.0
# nginx on TCP of both families with curl, one connection for many requests and many at a time; nc both ways; ping; what
# ss and ip tell of it.
# needs: nginx curl nc ping ss ip
# timeout: 120
cd "$1" && chmod 755 . && mkdir html && seq 20000 > html/index.html && chmod 755 html
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf "daemon on; worker_processes 2; pid $PWD/n.pid; error_log $PWD/err.log notice; %s events{} http { access_log off;
client_body_temp_path $PWD/b; proxy_temp_path $PWD/p; fastcgi_temp_path $PWD/f; uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s;
server { listen 127.0.0.1:$port reuseport; listen [::1]:$port; root $PWD/html; sendfile on; tcp_nopush on; } }" \
    "$([ "$(id -u)" = 0 ] && echo 'user nobody nogroup;')" > n.conf
nginx -c "$PWD/n.conf" 2>/dev/null; echo "started: $?"
for i in $(seq 100); do [ -s n.pid ] && break; sleep 0.05; done
curl -s "http://127.0.0.1:$port/index.html?[1-300]" -o "got.#1"; echo "curl: $?"
curl -s -Z --parallel-max 20 "http://[::1]:$port/index.html?[301-400]" -o "got.#1" 2>/dev/null; echo "curl: $?"
echo "answers: $(ls got.* | wc -l), different from the file: $(for f in got.*; do cmp -s "$f" html/index.html || echo x; done | wc -l)"
curl -s -o /dev/null -w '%{http_code}\n' "http://localhost:$port/missing"
curl -s -r 5-9 "http://127.0.0.1:$port/" | od -c | head -1
echo "listeners: $(ss -tln 2>/dev/null | grep -c ":$port ")"
kill -QUIT "$(cat n.pid)"
for i in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$port/" || break; sleep 0.05; done
curl -s "http://127.0.0.1:$port/"; echo "refused: $?"
grep -E '\[(alert|emerg|crit)\]' err.log | grep -v 'could not open error log' | sed 's/.*\[/[/' | head -3
for host in 127.0.0.1 ::1; do
    nc -l "$host" "$port" > there & sleep 0.3
    nc -N "$host" "$port" < html/index.html; wait
    nc -N -l "$host" "$port" < n.conf & sleep 0.3
    nc -d "$host" "$port" > back; wait
    cmp there html/index.html && cmp back n.conf && echo "nc $host: both ways"
done
nc -z 127.0.0.1 "$port" || echo "nc: nobody there"
ping -c 2 -i 0.2 127.0.0.1 | grep -c 'bytes from 127.0.0.1'
ip -br addr show dev lo | tr -s ' ' | cut -d' ' -f1-4
ip route get 127.0.0.1 | sed 's/uid .*//; s/ *$//'
exit 0
