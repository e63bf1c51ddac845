# SPDX-License-Identifier: Apache-2.0
# su, runuser and sudo open a session of another user: set-user-ID, PAM, and the limits of the first process. What sudo
# complains of is left out: a machine's own name need not be known to its resolver.
# needs: su runuser sudo
cd "$1"
if [ "$(id -u)" != 0 ]; then
    su -s /bin/sh nobody -c id < /dev/null > /dev/null 2>&1; echo "su without a password: $(($? != 0))"
    exit 0
fi
su nobody -s /bin/sh -c id
su nobody -s /bin/sh -c 'ulimit -t; [ "$(ulimit -n)" -ge 64 ] && echo enough files'
runuser -u nobody -- id -un
sudo -n -u nobody id 2> /dev/null
sudo -n -u nobody sh -c 'echo "$(id -un) by $SUDO_USER"; exit 5' 2> /dev/null; echo "status $?"
su nobody -s /bin/sh -c 'exit 7'; echo "status $?"
