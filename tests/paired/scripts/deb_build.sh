# SPDX-License-Identifier: Apache-2.0
# dpkg-deb: build a package, list, info, extract, control files; ar by hand.
# needs: dpkg-deb ar
export SOURCE_DATE_EPOCH=1600000000
mkdir -p pk/DEBIAN pk/usr/bin pk/usr/share/doc/demo pk/etc; printf '#!/bin/sh\necho demo\n' > pk/usr/bin/demo
chmod 755 pk/usr/bin/demo
printf 'Package: demo\nVersion: 1.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: demo\n long text\n' > pk/DEBIAN/control
printf '#!/bin/sh\nexit 0\n' > pk/DEBIAN/postinst; chmod 755 pk/DEBIAN/postinst; echo conf > pk/etc/demo.conf
echo /etc/demo.conf > pk/DEBIAN/conffiles
ln -s demo pk/usr/bin/alias; seq 5000 > pk/usr/share/doc/demo/text; find pk -exec touch -hd @1600000000 {} +
for z in gzip xz zstd none; do dpkg-deb --root-owner-group -Z$z -b pk $z.deb > /dev/null; echo $z $?; done
dpkg-deb -I gzip.deb | sed 1,2d; dpkg-deb -c gzip.deb
dpkg -x xz.deb x; dpkg -e zstd.deb e; dpkg-deb -R none.deb r; diff -r pk r && echo same
dpkg-deb -f gzip.deb Version; ar t gzip.deb; x/usr/bin/alias
mkdir db; mkdir -p root
dpkg --root=$PWD/root --admindir=$PWD/db --force-not-root --force-script-chrootless -l 2>/dev/null | wc -l
dpkg-deb -x gzip.deb /proc/nothing 2>/dev/null; echo $?; find pk x r e -exec touch -hd 2021-01-01 {} +
find db root -type f -delete
