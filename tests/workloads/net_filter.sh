# SPDX-License-Identifier: Apache-2.0
# nft and iptables-nft in a namespace of their own: rules are set, told, changed, refused and saved, and drop what they say.
# needs: nft iptables-nft iptables-nft-save iptables-nft-restore unshare ip python3
# timeout: 120
cd "$1" || exit 1
unshare -rn true 2>/dev/null || { echo "no namespaces here"; exit 0; }
exec unshare -rn bash -s <<'INSIDE'
ip link set lo up
nft list ruleset; echo "empty: $?"
nft -f - <<'RULES'
table inet f {
  counter c { }
  map verdicts { type ipv4_addr : verdict; elements = { 192.0.2.1 : drop, 192.0.2.2 : jump other } }
  set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90, 192.0.2.0/24 . 22 } }
  chain other {
    return
  }
  chain in {
    type filter hook input priority filter; policy accept;
    ct state vmap { established : accept, related : accept, invalid : drop }
    ip saddr vmap @verdicts
    ip saddr . tcp dport @pairs counter name "c" accept
    icmp type echo-request limit rate 5/second burst 10 packets accept
    fib daddr type broadcast drop
    udp dport { 700, 800-900 } counter drop
    meta l4proto tcp tcp dport 703 reject with tcp reset
  }
}
table ip n {
  chain out { type nat hook output priority -100; tcp dport 81 redirect to :701; }
  chain post { type nat hook postrouting priority srcnat; ip saddr 10.0.0.0/8 masquerade; }
}
RULES
echo "set: $?"
nft list ruleset
nft add rule inet f nowhere drop 2>/dev/null; echo "nowhere: $?"
nft delete chain inet f other 2>/dev/null; echo "busy: $?"
python3 - <<'PY'
import socket
def udp(port):
    a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
    a.bind(("127.0.0.1", port)); a.settimeout(0 if port == 700 else 30)
    b.sendto(b"x", ("127.0.0.1", port))
    try: return a.recv(1)
    except OSError: return "dropped"
def tcp(port):
    s = socket.socket(); s.settimeout(30)
    try: s.connect(("127.0.0.1", port)); return "connected"
    except OSError as e: return type(e).__name__
l = socket.create_server(("127.0.0.1", 701)); m = socket.create_server(("127.0.0.1", 703))
print(udp(701), udp(700), tcp(701), tcp(81), tcp(703))
PY
nft list chain inet f in | grep 800-900
nft delete table ip n
for rule in "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT" "-A INPUT -p udp -m multiport --dports 1,2:9 -j REJECT" \
    "-A INPUT -m addrtype --dst-type LOCAL -m limit --limit 5/min -j LOG --log-prefix x:" "-N own" "-A own -p tcp --syn -j RETURN" \
    "-A FORWARD -i eth0 -j own" "-P FORWARD DROP" "-t nat -A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE" \
    "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.0.2.9:8080" "-t raw -A OUTPUT -p udp -j CT --notrack" \
    "-X own" "-C INPUT -p tcp --dport 5 -j ACCEPT"; do
    iptables-nft $rule 2>/dev/null || echo "refused: $rule"
done
iptables-nft -L -n; iptables-nft -t nat -S
iptables-nft-save | grep -v '^#' > saved; iptables-nft-restore < saved; iptables-nft-save | grep -v '^#' | cmp - saved && echo restored
nft flush ruleset; nft list ruleset
INSIDE
