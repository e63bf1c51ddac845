# SPDX-License-Identifier: Apache-2.0
# apt from a repository in a folder: update, policy, simulate, download and unpack, with state and cache of its own.
# needs: apt-get dpkg-deb gzip
# timeout: 120
mkdir -p etc/preferences.d repo pk/DEBIAN pk/usr/share/demo st/lists/partial c/archives/partial etc
echo text > pk/usr/share/demo/file; export SOURCE_DATE_EPOCH=1600000000; touch -d @1600000000 pk/usr/share/demo/file
printf 'Package: paired-demo\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: demo\n' > pk/DEBIAN/control
dpkg-deb --root-owner-group -Zgzip -b pk repo/paired-demo_1.0_all.deb > /dev/null
{ cat pk/DEBIAN/control; echo "Filename: ./paired-demo_1.0_all.deb"; echo "Size: $(stat -c %s repo/*.deb)"
  echo "SHA256: $(sha256sum < repo/*.deb | cut -d' ' -f1)"; echo; } > repo/Packages
echo "deb [trusted=yes] file:$PWD/repo ./" > etc/sources.list; touch st/status
A="-o Dir::Etc=$PWD/etc -o Dir::State=$PWD/st -o Dir::Cache=$PWD/c -o Dir::State::status=$PWD/st/status -o APT::Sandbox::User=root"
A="$A -o Debug::NoLocking=0 -o Dir::Log=$PWD/.tmp -q"
apt-get $A update > .tmp/log 2>&1; echo $?; grep -c . .tmp/log > /dev/null; apt-cache $A policy paired-demo | head -3
apt-cache $A show paired-demo | head -2; apt-get $A -s install paired-demo 2>&1 | grep -E '^(Inst|Conf)'
(mkdir got && cd got && apt-get $A download paired-demo > /dev/null 2>&1; echo $?; dpkg -x *.deb out; cat out/usr/share/demo/file)
apt-get $A -s install none > /dev/null 2>&1; echo $?; apt-config $A dump APT::Sandbox::User; rm -rf st c .tmp/* repo got/*.deb
find . -exec touch -hd 2020-01-01 {} +
