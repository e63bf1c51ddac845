# SPDX-License-Identifier: Apache-2.0
# Every include file of the machine is read.
grep -r nothing_like_this /usr/include > /dev/null
start=$(date +%s%N)
grep -r nothing_like_this /usr/include > /dev/null
echo $(($(date +%s%N) - start))
