# SPDX-License-Identifier: Apache-2.0
# nginx on a unix socket: its worker (started by the master over a socket with FIOASYNC and F_SETOWN) answers 1,000
# requests with the bytes of the file, and all processes end on SIGQUIT. As whoever runs the test, and as root a worker
# of another user.
# needs: nginx curl
# timeout: 120
cd "$1" && chmod 755 . && mkdir html && seq 2000 > html/index.html && chmod 755 html
printf "daemon on; worker_processes 1; pid $PWD/n.pid; error_log $PWD/err.log notice; %s events{} http { access_log off;
client_body_temp_path $PWD/b; proxy_temp_path $PWD/p; fastcgi_temp_path $PWD/f; uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s;
server { listen unix:$PWD/n.sock; root $PWD/html; sendfile on; keepalive_requests 100; } }" \
    "$([ "$(id -u)" = 0 ] && echo 'user nobody nogroup;')" > n.conf
nginx -c "$PWD/n.conf" 2>/dev/null; echo "started: $?"
for i in $(seq 100); do [ -s n.pid ] && pgrep -P "$(cat n.pid)" > worker && break; sleep 0.05; done
echo "workers: $(wc -l < worker)"; master=$(cat n.pid)
[ "$(id -u)" = 0 ] && stat -c %U "/proc/$(cat worker)"
curl -s --unix-socket n.sock "http://x/index.html?[1-1000]" -o "got.#1" ; echo "curl: $?"
echo "answers: $(ls got.* | wc -l), different from the file: $(for f in got.*; do cmp -s "$f" html/index.html || echo x; done | wc -l)"
curl -s -o /dev/null -w '%{http_code}\n' --unix-socket n.sock http://x/missing
kill -QUIT "$master"
for i in $(seq 100); do kill -0 "$master" 2>/dev/null || break; sleep 0.05; done
kill -0 "$master" 2>/dev/null && echo "still there"
grep -E '\[(alert|emerg|crit)\]' err.log | grep -v 'could not open error log' | sed 's/.*\[/[/' | head -3
exit 0
