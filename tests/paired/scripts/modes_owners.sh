# SPDX-License-Identifier: Apache-2.0
# places: overlay
# chmod in all spellings, umask, set-id bits, chown and chgrp as root, and what writing and chown take away; ACLs where set.
mkdir d; touch f; for m in u+x,g-r a=rw 4755 2711 1777 u=rwxs,o= +t 000 g+s =r u+s; do chmod $m f
stat -c "%a %A" f; done; (umask 077; touch u; mkdir ud; mkfifo uf 2>/dev/null; rm -f uf); (umask 0; touch z
mkdir zd); chmod 2775 d; touch d/x; mkdir d/sub; stat -c '%a' d/sub; umask -S; chmod -R a+X,o-w .
chmod -v 640 f; chmod 0 nothing; echo $?; chmod --reference=z u; mkdir -m 1733 m; install -m 4711 f i
stat -c %a i
if [ $(id -u) = 0 ]; then chown 1000:1001 f; stat -c '%u:%g' f; chmod 6755 f; chown 1002 f; stat -c '%a %u' f
chmod 4755 d/x; echo w >> d/x; stat -c %a d/x; chown -h 5:6 $(ln -s f s; echo s); stat -c '%u:%g' s f
chgrp -R 77 d; touch d/inherits; stat -c %g d/inherits; chown :8 f; cp -p f kept; stat -c '%u:%g %a' kept
chmod 6777 f
setpriv --reuid 1002 --regid 9 --clear-groups sh -c 'echo x >> f; id -u; cat u; cat z; touch new; echo $?; rm zd; echo $?; rmdir zd; echo $?'
stat -c %a f
mkdir -m 777 open; mkdir -m 1777 sticky; touch open/r sticky/r
setpriv --reuid 1002 --regid 9 --clear-groups sh -c 'rm -f open/r; rm -f sticky/r; touch sticky/mine; rm sticky/mine; chmod 777 u; chown 1002 u; ln u open/hard; test -w u; echo $?; test -r z; echo $?; mkdir open/d; chgrp 0 open/d; chgrp 9 open/d; chmod g+s open/d; ls -ld open/d | cut -c1-10' 2>&1
fi; ls open sticky
