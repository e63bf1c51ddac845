# SPDX-License-Identifier: Apache-2.0
# A walk with a stat of each file: the machine's include files, as they lie there.
find /usr/include -size +1k > /dev/null
start=$(date +%s%N)
find /usr/include -size +1k > /dev/null
echo $(($(date +%s%N) - start))
