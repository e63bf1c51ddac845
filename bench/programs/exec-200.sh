# SPDX-License-Identifier: Apache-2.0
# 200 short programs, one after the other.
start=$(date +%s%N)
i=0
while [ $i -lt 200 ]; do /bin/true; i=$((i + 1)); done
echo $(($(date +%s%N) - start))
