# SPDX-License-Identifier: Apache-2.0
# What one has for other machines, on this one: ssh to an sshd of our own, dig to dnsmasq, wget, what tcpdump sees of it on
# the loopback, what ss tells of unix sockets, and ip monitor.
# needs: ssh ssh-keygen /usr/sbin/sshd dig dnsmasq wget tcpdump ss ip python3
# timeout: 120
cd "$1" && chmod 755 .
[ "$(id -u)" = 0 ] || { echo "as root alone"; exit 0; }
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
up() { for i in $(seq 100); do python3 -c "import socket; socket.create_connection(('127.0.0.1', $1))" 2>/dev/null && return; sleep 0.05; done; }
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f user
[ -d /run/sshd ] || { mkdir /run/sshd && made=1; }
port=$(free)
/usr/sbin/sshd -D -e -p "$port" -h "$PWD/host" -o AuthorizedKeysFile="$PWD/user.pub" -o StrictModes=no -o UsePAM=no \
    -o PidFile=none -o ListenAddress=127.0.0.1 2> sshd.log & server=$!
up "$port"
remote() { ssh -F none -p "$port" -i user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 "$@"; }
remote 'echo "there: $(id -un)"; exit 7'; echo "status: $?"
head -c 3000000 /dev/zero | remote 'wc -c'
seq 100000 | remote cat | cksum
kill $server; wait $server 2>/dev/null
[ -z "$made" ] || rmdir /run/sshd
port=$(free)
printf "port=$port\nno-resolv\nno-hosts\naddress=/picket.test/192.0.2.9\nuser=root\nlisten-address=127.0.0.1\nbind-interfaces\n" > d.conf
dnsmasq -C d.conf -k 2> dns.log & server=$!
up "$port"
tcpdump -i lo -n -U -c 2 -l udp port "$port" > packets 2> tcpdump.log & watcher=$!
for i in $(seq 100); do grep -qs 'listening on' tcpdump.log && break; sleep 0.05; done
dig +short -p "$port" @127.0.0.1 picket.test
dig +short +tcp -p "$port" @127.0.0.1 picket.test
dig +short -x 192.0.2.9 -p "$port" @127.0.0.1 | wc -l
wait $watcher; echo "tcpdump: $? $(grep -c 'IP 127.0.0.1' packets)"
kill $server; wait $server
port=$(free)
seq 50000 > page; python3 -m http.server --bind 127.0.0.1 "$port" > /dev/null 2>&1 & server=$!
up "$port"
wget -q -O back "http://127.0.0.1:$port/page" && cmp back page && echo "wget: same"
wget -q -O /dev/null "http://127.0.0.1:$port/missing"; echo "missing: $?"
kill $server; wait $server 2>/dev/null
python3 - <<'P'
import os, socket, subprocess
name = "\0picket-%d" % os.getpid()
l = socket.socket(socket.AF_UNIX)
l.bind(name)
l.listen(5)
c = socket.socket(socket.AF_UNIX)
c.connect(name)
def count(*how):
    out = subprocess.run(["ss", "-H", *how], stdout=subprocess.PIPE, text=True).stdout
    return sum(name[1:] in line for line in out.splitlines())
print("ss:", count("-xl"), "proc:", sum(name[1:] in line for line in open("/proc/net/unix")) > 0)
P
exit 0
