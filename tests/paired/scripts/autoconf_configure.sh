# SPDX-License-Identifier: Apache-2.0
# autoconf: configure.ac to configure, config.h, a build outside of the source, make install and distclean.
# needs: autoconf automake make gcc m4
# timeout: 180
mkdir s b && cd s && printf 'AC_INIT([demo],[1.0])\nAC_CONFIG_HEADERS([config.h])\nAC_PROG_CC\nAC_CHECK_HEADERS([unistd.h nothere.h])\nAC_CHECK_FUNCS([mmap splork])\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n' > configure.ac
printf 'prefix=@prefix@\nall: demo\ndemo: @srcdir@/demo.c config.h\n\t@CC@ -I. -o $@ $<\ninstall: demo\n\tinstall -D demo $(DESTDIR)$(prefix)/bin/demo\ndistclean:\n\trm -f demo Makefile config.*\n' > Makefile.in
printf '#include "config.h"\n#include <stdio.h>\nint main(void) { puts(PACKAGE_STRING); return !HAVE_MMAP; }\n' > demo.c
autoheader && autoconf && cd ../b && ../s/configure --prefix=/opt > .tmp.log && grep -E 'mmap|nothere|splork|creating' .tmp.log
make -s && ./demo && make -s install DESTDIR=$HOME/i && $HOME/i/opt/bin/demo && cat config.h | md5sum && make -s distclean
rm -rf ../s/autom4te.cache config.log .tmp.log
rm -f ../s/configure ../i/opt/bin/demo config.status; cd ..; find . | sort
