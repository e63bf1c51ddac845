# SPDX-License-Identifier: Apache-2.0
# setfattr and getfattr: names, values, sizes, removal, dumps and restores, namespaces that are refused, links, copies.
# needs: setfattr getfattr
touch f; mkdir d; ln -s f s; setfattr -n user.a -v 1 f; setfattr -n user.b f
setfattr -n user.bin -v 0x00ff10 f; setfattr -n user.d -v dir d; getfattr -d -e hex f; getfattr -n user.none f
echo $?; setfattr -x user.b f; setfattr -x user.b f; echo $?; getfattr -d --absolute-names -R . | sort
setfattr -h -n user.x -v 1 s; echo $?; setfattr -n nothing.x -v 1 f; echo $?; setfattr -n user. -v 1 f
echo $?
setfattr -n user.$(printf 'n%.0s' $(seq 250)) -v x f; echo $?
setfattr -n user.$(printf 'n%.0s' $(seq 251)) -v x f 2>&1 | tail -c 40; getfattr -d f > dump; rm f; touch f
setfattr --restore=dump; getfattr --only-values -n user.a f; cp --preserve=xattr f c; mv c c2
getfattr -d c2 | md5sum; cp f c3; getfattr -d c3; for i in $(seq 30); do setfattr -n user.k$i -v v$i d; done
getfattr -d d | wc -l; chmod 400 f; setfattr -n user.a -v 2 f; echo $?
setpriv --reuid 1002 --regid 9 --clear-groups getfattr -d f
setpriv --reuid 1002 --regid 9 --clear-groups setfattr -n user.q -v 2 d; echo $?; ln f hard
getfattr -n user.a hard; rm dump
