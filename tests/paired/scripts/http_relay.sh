# SPDX-License-Identifier: Apache-2.0
# an HTTP server, curl, nc and socat over the loopback and unix sockets: downloads, uploads, ranges, refused connections.
# needs: python3 curl socat
# places: overlay
mkdir www; seq 50000 > www/big; echo small > www/small
python3 -m http.server -b 127.0.0.1 -d www 18451 > .tmp/log 2>&1 & server=$!
socat UNIX-LISTEN:relay,fork TCP:127.0.0.1:18451 & relay=$!
for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:18451/small && [ -S relay ] && break; sleep 0.05; done
curl -s http://127.0.0.1:18451/small; curl -s http://127.0.0.1:18451/big | cmp - www/big && echo same
curl -s --unix-socket relay http://x/small; curl -s -o out -w '%{http_code} %{size_download}\n' http://127.0.0.1:18451/big
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:18451/none; curl -s -I http://127.0.0.1:18451/big | grep -i length
for i in $(seq 8); do curl -s http://127.0.0.1:18451/big | md5sum & done | sort | uniq -c
curl -s http://127.0.0.1:1/; echo $?; curl -s file://$PWD/www/small; curl -sf http://127.0.0.1:18451/none; echo $?
socat TCP-LISTEN:18452,bind=127.0.0.1,reuseaddr EXEC:'tr a-z A-Z' & sleep 0.5; echo hello | socat -t 2 - TCP:127.0.0.1:18452
socat -u UDP-RECV:18453,bind=127.0.0.1 OPEN:udp,create & udp=$!; sleep 0.5
for i in 1 2 3; do echo "datagram $i" | socat -u - UDP:127.0.0.1:18453; done; sleep 0.5; kill $udp; cat udp
socat -u EXEC:'echo from a pty',pty,raw,echo=0 STDOUT; kill $relay $server; wait 2> /dev/null; rm -f .tmp/log relay
