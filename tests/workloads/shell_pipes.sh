# SPDX-License-Identifier: Apache-2.0
# sh: 300 pipelines, command substitution, exit codes.
sh -c 'for i in $(seq 300); do echo $i | cat; done | sort -n | tail -1'
sh -c 'exit 3'; echo $?
bash -c "sh -c 'kill -9 \$\$'; echo \$?" 2>/dev/null
echo "a b c" | (read x y; echo "$y")
yes | head -100000 | wc -l
