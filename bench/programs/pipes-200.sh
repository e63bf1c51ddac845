# SPDX-License-Identifier: Apache-2.0
# 200 pipelines of three programs.
start=$(date +%s%N)
i=0
while [ $i -lt 200 ]; do echo $i | cat | wc -l > /dev/null; i=$((i + 1)); done
echo $(($(date +%s%N) - start))
