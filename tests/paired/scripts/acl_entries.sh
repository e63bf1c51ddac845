# SPDX-License-Identifier: Apache-2.0
# setfacl and getfacl as root: entries, mask, defaults that new files inherit, copies, what they permit to another user.
# needs: setfacl getfacl setpriv
# places: overlay
mkdir d; echo text > f; chmod 600 f; setfacl -m u:1002:r,g:50:rw f; getfacl -n f; ls -l f | cut -c1-11
setfacl -m m::r f; getfacl -cn f; setfacl -d -m u:1002:rwx,o::- d; touch d/n; mkdir d/s; getfacl -n d d/n d/s
chmod 640 f; getfacl -cn f; cp -p f g; getfacl -cn g; cp -a d e; getfacl -R -n e | md5sum
tar --acls -cf t.tar d f 2>/dev/null; mkdir x; tar --acls -C x -xf t.tar; getfacl -n x/f | md5sum; rm t.tar
setpriv --reuid 1002 --regid 9 --clear-groups sh -c 'cat f; echo x >> f; touch d/mine; echo $?'
setpriv --reuid 1003 --regid 50 --clear-groups sh -c 'cat f; touch d/other; echo $?'; setfacl -x u:1002 f
setfacl -b g; setfacl -k d; getfacl -cn f g d; getfacl -n f | setfacl --set-file=- d/n; setfacl -m u:1:w none
echo $?; getfacl --omit-header -e f; setfacl -m u:1002:7 f; mv f f2; getfacl -cn f2
rsync -aA f2 f3 2>/dev/null; getfacl -cn f3
