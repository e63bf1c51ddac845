# SPDX-License-Identifier: Apache-2.0
# dpkg -i, upgrade, configure, remove and purge in a database and root of its own, with maintainer scripts and a conffile.
# needs: dpkg dpkg-deb
# timeout: 120
mkdir -p root/var/lib/dpkg/updates root/var/lib/dpkg/info db
touch root/var/lib/dpkg/status root/var/lib/dpkg/available
make_one() {
    rm -rf pk; mkdir -p pk/DEBIAN pk/usr/lib/demo pk/etc
printf "Package: demo\nVersion: $1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: demo\n" > pk/DEBIAN/control
    for s in preinst postinst prerm postrm; do printf "#!/bin/sh\necho $1 $s \$1 \$2\n" > pk/DEBIAN/$s
chmod 755 pk/DEBIAN/$s; done
    echo "conf $1" > pk/etc/demo.conf; echo /etc/demo.conf > pk/DEBIAN/conffiles; for i in $(seq 30)
do echo $i$1 > pk/usr/lib/demo/f$i; done; ln pk/usr/lib/demo/f1 pk/usr/lib/demo/h
    [ $1 = 1.0 ] && echo gone > pk/usr/lib/demo/old; dpkg-deb --root-owner-group -b pk demo-$1.deb > /dev/null
}
make_one 1.0; make_one 2.0; rm -rf pk
D="dpkg --root=$PWD/root --force-not-root --force-script-chrootless --force-unsafe-io --log=$PWD/.tmp/log"
$D -i demo-1.0.deb; echo $?; $D -s demo | head -3; $D -L demo | sort | tail -5
echo edited >> root/etc/demo.conf
$D --force-confold -i demo-2.0.deb; echo $?; ls root/etc root/usr/lib/demo | wc -l; $D -V demo; $D -S f3
$D -r demo; $D -l demo | tail -1; $D -P demo; find root | sort
rm -rf root *.deb .tmp/log
