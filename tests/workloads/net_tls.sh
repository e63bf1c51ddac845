# SPDX-License-Identifier: Apache-2.0
# TLS and HTTP/2: nginx with a certificate of its own, asked by curl (HTTP/1.1, HTTP/2, several streams of one connection,
# IPv6) and wget; a file there and back has its checksum; openssl s_client sees what was agreed on.
# needs: nginx curl wget openssl python3
# timeout: 120
cd "$1" && chmod 755 .
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 \
    -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' 2>/dev/null; echo "certificate: $?"
head -c 3000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null > big; echo small > small
cat > nginx.conf <<C
daemon off; master_process off; pid $PWD/pid; error_log $PWD/error.log;
events {}
http { access_log off; client_body_temp_path $PWD/body; server { listen 127.0.0.1:$port ssl http2; listen [::1]:$port ssl http2;
ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem; root $PWD; } }
C
nginx -c "$PWD/nginx.conf" 2>/dev/null & server=$!
for i in $(seq 200); do [ -s pid ] && break; sleep 0.05; done
get() { curl -sS --no-progress-meter --cacert cert.pem -w '%{http_version} %{http_code}\n' "$@"; }
get --http1.1 "https://127.0.0.1:$port/small"
get --http2 "https://localhost:$port/small"
get --http2 -g "https://[::1]:$port/small"
get --http2 -o got "https://127.0.0.1:$port/big"; cmp big got && echo same
get --http2 -Z -o a "https://127.0.0.1:$port/big" -o b "https://127.0.0.1:$port/big" -o c "https://127.0.0.1:$port/small" | sort
cmp big a && cmp big b && cmp small c && echo "same by streams"
wget -q --ca-certificate=cert.pem -O w "https://127.0.0.1:$port/big"; echo "wget: $?"; cmp big w && echo same
curl -sS "https://127.0.0.1:$port/small" > /dev/null 2>&1; echo "not trusted: $?"
echo | openssl s_client -connect "127.0.0.1:$port" -CAfile cert.pem -alpn h2 2>/dev/null | grep -aE '^ALPN|Verify return code' | sort -u
kill -QUIT $server; wait $server; echo "nginx: $?"
