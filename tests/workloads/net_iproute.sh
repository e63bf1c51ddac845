# SPDX-License-Identifier: Apache-2.0
# What ip, ss, iptables and nft tell of a network in a namespace of its own: a pair, a bridge, addresses, routes, neighbours and
# rules that are set and shown, ping of both families over the pair, and who listens.
# needs: unshare ip ss ping nft iptables python3
# timeout: 120
cd "$1" || exit 1
unshare -rn true 2>/dev/null || { echo "no namespaces here"; exit 0; }
exec unshare -rn bash -s <<'INSIDE'
show() { echo "# ip $*"; ip "$@" 2>&1 | sed -E 's/ *$//; s/(valid_lft|preferred_lft) [0-9a-z]+//g; s/[0-9a-f:]{17} brd/MAC brd/; s/@if[0-9]+/@if/; s/fe80::[0-9a-f:]+/LINKLOCAL/; s/ used [0-9/]+//; s/ link-netnsid [0-9]+//; s/ (uid 0|cache)$//; s/ (DELAY|REACHABLE|STALE|PROBE)$/ KNOWN/'; }
up() { for i in $(seq 100); do "$@" > /dev/null 2>&1 && return; sleep 0.05; done; echo "not up: $*"; }
ip link set lo up
unshare -n sleep 1000 & other=$!
up sh -c "[ \$(readlink /proc/$other/ns/net) != \$(readlink /proc/self/ns/net) ]"
there() { nsenter -t $other -n "$@"; }
ip link add va address 02:00:00:00:00:01 type veth peer name vb address 02:00:00:00:00:02 netns $other
ip addr add 10.9.0.1/24 dev va; ip addr add fd09::1/64 dev va nodad; ip link set va up
there ip addr add 10.9.0.2/24 dev vb; there ip addr add fd09::2/64 dev vb nodad; there ip link set vb up
ip link add br0 type bridge; ip link add p0 type veth peer name p1; ip link set p0 master br0; ip link set p0 up; ip link set p1 up
ip link set br0 up
up sh -c "ip -br link show br0 | grep -q UP"
ip addr add 192.0.2.1/28 dev br0
ip route add 198.51.100.0/24 via 10.9.0.2; ip route add default via 10.9.0.2; ip -6 route add fd77::/32 via fd09::2
ip neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev va nud permanent
ping -c 1 -W 10 10.9.0.2 | grep -c 'bytes from'; ping -6 -c 1 -W 10 fd09::2 | grep -c 'bytes from'
show -4 -br addr; show -4 addr show dev va; show -4 route; show -6 route show fd77::/32; show route get 198.51.100.9
show -4 neigh | sort; show -6 neigh show fd09::2; show rule; show -6 rule; show -4 neigh show dev br0
ip neigh del 10.9.0.77 dev va; ip route del default; show -4 route; show -4 neigh
ip route add 203.0.113.0/24 via 10.99.99.99 2> /dev/null; echo "unreachable gateway: $?"
ip addr add 10.9.0.1/24 dev va 2> /dev/null; echo "twice: $?"
ip link set nowhere up; echo "nowhere: $?"
ip -j -4 addr show dev br0 | python3 -c 'import json, sys; [print(l["ifname"], l["operstate"], a["local"], a["prefixlen"]) for l in json.load(sys.stdin) for a in l["addr_info"]]'
python3 -c '
import os, socket, subprocess
l = [socket.create_server((h, p), family=f, backlog=7) for h, p, f in (("127.0.0.1", 4000, 2), ("::1", 4001, 10))]
c = socket.create_connection(("127.0.0.1", 4000))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("10.9.0.1", 5000))
def ss(*how):
    text = subprocess.run(["ss", *how], stdout=subprocess.PIPE, text=True).stdout.replace(str(os.getpid()), "PID")
    print(*sorted(" ".join(line.split()) for line in text.replace(str(c.getsockname()[1]), "PORT").splitlines()), sep="\\n")
ss("-tnlpH"); ss("-tnH"); ss("-unlH"); ss("-tnH", "state", "established"); ss("-tnlH", "sport", "=", ":4001")
'
iptables -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT; iptables -t nat -A POSTROUTING -s 10.9.0.0/24 -j MASQUERADE
iptables -L -n; iptables -t nat -L -n; iptables -S
nft list ruleset
nft flush ruleset; nft list ruleset; echo "empty: $?"
kill $other; wait $other 2>/dev/null
exit 0
INSIDE
