# SPDX-License-Identifier: Apache-2.0
# git: init, add, commit, log, branch, merge, clone, gc.
# needs: git
cd "$1" && export HOME="$1" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
git config --global user.email a@example.org; git config --global user.name A; git config --global init.defaultBranch main
git init -q r && cd r
for i in $(seq 50); do mkdir -p d$((i % 5)); echo "file $i" > d$((i % 5))/f$i; done
git add . && git commit -qm first && git log --format='%H %s'
git checkout -qb side && echo more >> d1/f1 && git commit -qam second && git checkout -q main && git merge -q side && git log --oneline | wc -l
git status --porcelain | wc -l
cd .. && git clone -q r c && cd c && git log --format=%s | head -1 && git gc -q && git fsck 2>/dev/null && git ls-files | wc -l
