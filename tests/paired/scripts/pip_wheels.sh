# SPDX-License-Identifier: Apache-2.0
# pip: a wheel and a source package of its own, installed offline into a folder, listed, shown, checked, removed.
# needs: python3 python3:pip
# timeout: 180
export PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1
mkdir -p w/demo w/demo-1.0.dist-info wheels
echo 'def f(): return 42' > w/demo/__init__.py
printf 'Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n' > w/demo-1.0.dist-info/METADATA
printf 'Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n' > w/demo-1.0.dist-info/WHEEL
printf 'demo/__init__.py,,\ndemo-1.0.dist-info/METADATA,,\ndemo-1.0.dist-info/WHEEL,,\ndemo-1.0.dist-info/RECORD,,\n' \
    > w/demo-1.0.dist-info/RECORD
(cd w && python3 -m zipfile -c ../wheels/demo-1.0-py3-none-any.whl demo/ demo-1.0.dist-info/)
python3 -m pip install -q --find-links wheels --target t demo; echo $?
PYTHONPATH=t python3 -c 'import demo; print(demo.f())'
PYTHONPATH=t python3 -m pip list --path t; python3 -m pip install -q --find-links wheels --target t nothere 2> /dev/null; echo $?
python3 -m pip install -q --upgrade --find-links wheels --target t demo; echo $?
find t | sort; rm -rf wheels t w/*/__pycache__ .cache
