# SPDX-License-Identifier: Apache-2.0
# python: a venv, compileall, zipapp, a package that is run from a zip.
# needs: python3
# timeout: 120
python3 -m venv --without-pip --copies v && ./v/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'
mkdir -p app/pkg; echo 'def f(): return 42' > app/pkg/__init__.py
echo 'from pkg import f; print(f())' > app/__main__.py
python3 -m zipapp app -o app.pyz -p /usr/bin/python3; ./app.pyz; python3 app.pyz
python3 -m compileall -q --invalidation-mode checked-hash app; find app -name '*.pyc' | sort
(cd app && ../v/bin/python -c 'import pkg; print(pkg.__cached__)' | sed "s#$HOME##")
ls -l app.pyz | cut -c1-10
python3 -c 'import zipfile; print(sorted(zipfile.ZipFile("app.pyz").namelist()))'; rm -rf v app.pyz
