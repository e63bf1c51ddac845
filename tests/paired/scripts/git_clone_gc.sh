# SPDX-License-Identifier: Apache-2.0
# git: bare and local clones (hard links), push, worktrees, stash, bisect, bundle, repack and gc, fsck.
# needs: git
# timeout: 120
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
git config --global init.defaultBranch main; git config --global advice.detachedHead false; git config --global gc.auto 0
git init -q --bare hub.git; git clone -q hub.git one 2>/dev/null; cd one
for i in $(seq 12); do mkdir -p d$((i % 3)); seq $((i * 40)) > d$((i % 3))/f$i; [ $i -ge 8 ] && echo bad > state || echo good > state
git add -A; git commit -qm "change $i"; done
git push -q origin main; git log --oneline | head -3; cd ..
git clone -q hub.git two; git clone -q --depth 3 file://$PWD/hub.git thin; git -C thin log --oneline | wc -l
cd two; git worktree add -q ../wt -b side; echo more > ../wt/new; git -C ../wt add -A; git -C ../wt commit -qm side
git worktree list | wc -l; git merge -q --no-edit side; git log --oneline | wc -l; echo dirty >> state; git stash -q; cat state; git stash pop -q; cat state
git checkout -q state; git bisect start -q main main~11 > /dev/null 2>&1; git bisect run grep -q good state 2>&1 | grep 'first bad' | cut -d' ' -f2-; git bisect reset > /dev/null 2>&1
git push -q origin main; git bundle create -q ../b.bundle main; cd ..; git clone -q b.bundle three 2>/dev/null; git -C three log --oneline origin/main | wc -l
git -C two gc -q --prune=now; git -C two count-objects | cut -d' ' -f1; git -C two fsck --no-progress; git -C two status -sb
git -C hub.git repack -qadf --threads=1; git verify-pack -v hub.git/objects/pack/*.idx | grep -c blob
git -C one pull -q; git -C one diff HEAD~1 --stat | tail -1; git -C one archive HEAD | tar t | sort
rm -rf hub.git two/.git one/.git three thin/.git wt/.git b.bundle .gitconfig; find . -exec touch -hd 2020-01-01 {} +
