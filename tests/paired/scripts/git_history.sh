# SPDX-License-Identifier: Apache-2.0
# git: commits, branches, merge with a conflict, rebase, cherry-pick, stash, tags, gc, worktree, bare clone over file://, push, bisect.
# needs: git
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
git config --global user.email a@example.org; git config --global user.name A
git config --global init.defaultBranch main
git config --global gc.auto 0; git config --global protocol.file.allow always
git config --global advice.detachedHead false
git init -q r && cd r; for i in 1 2 3 4 5 6; do seq $((i * 10)) > f$i; git add .; git commit -qm "c$i"; done
git checkout -qb side HEAD~3; sed -i 's/^5$/five/' f1; git commit -qam side1; echo x > only; git add only
git commit -qm side2
git checkout -q main; sed -i 's/^5$/FIVE/' f1; git commit -qam main1; git merge -q side; echo merge $?
git status --porcelain
git checkout -q --ours f1; git add f1; git commit -qm merged; git log --oneline --graph
git checkout -qb topic HEAD~2; echo t > t; git add t; git commit -qm topic; git rebase -q main
git log -1 --format='%H %P'
git checkout -q main; git cherry-pick topic >/dev/null; echo wip >> f2; git stash -q; git stash list
git stash pop -q; git diff --stat
git checkout -q f2; git tag -a v1 -m one; git describe; git clone -q --bare "file://$PWD" ../bare.git
git worktree add -q ../wt side
(cd ../wt && echo w > w && git add w && git commit -qm inwt && git push -q ../bare.git side 2>&1)
git worktree list | sed "s#$HOME#H#"
git gc -q --prune=now; git fsck --full; git count-objects -v | grep -E 'count|packs|in-pack'
git clone -q --depth 2 "file://$HOME/bare.git" ../shallow
git -C ../shallow rev-list --count HEAD; git -C ../bare.git for-each-ref
git bisect start -q HEAD HEAD~6 2>&1 | tail -1
git bisect run sh -c 'test ! -e f6' 2>&1 | grep 'first bad'; git bisect reset -q
git archive HEAD | tar -tf - ; git grep -c five; git blame -s f1 | head -3
git format-patch -o ../patches -q HEAD~2; git rev-parse HEAD
cd .. ; mkdir lists; for d in r wt shallow; do git -C $d ls-files -s > lists/$d; done
rm -rf r bare.git wt shallow
