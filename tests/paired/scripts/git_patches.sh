# SPDX-License-Identifier: Apache-2.0
# git: format-patch, am, apply, rebase, cherry-pick with a conflict, attributes, ignored files, clean, hooks, submodule.
# needs: git
# timeout: 120
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
git config --global init.defaultBranch main; git config --global gc.auto 0; git config --global protocol.file.allow always; git config --global core.safecrlf false
git init -q r; cd r; seq 30 > n; printf '*.txt text eol=crlf\n' > .gitattributes; printf 'a\nb\n' > t.txt; printf 'build/\n*.o\n' > .gitignore
git add -A; git commit -qm base; git checkout -qb topic
for i in 5 15 25; do sed -i "${i}s/.*/topic $i/" n; git commit -qam "line $i"; done
git format-patch -q main -o ../patches; ls ../patches; git checkout -q main; sed -i '15s/.*/main/' n; git commit -qam mine
git am -q --3way ../patches/0001*; git apply --check ../patches/0003*; echo $?; git am ../patches/0002* > /dev/null 2>&1; echo $?; git am --abort; git status -s
git cherry-pick topic~1 > /dev/null 2>&1; git status -s; grep -c '^[<=>]' n; git checkout --theirs n 2>/dev/null; git add n; git -c core.editor=true cherry-pick --continue > /dev/null; git log --format=%s
git checkout -q topic; git rebase -q main > /dev/null 2>&1; git status -s; git rebase --skip > /dev/null 2>&1; git rebase --skip > /dev/null 2>&1; git log --format=%s main..
mkdir build; touch build/x y.o z; git clean -n; git clean -fdxq; ls; rm t.txt; git checkout t.txt 2>/dev/null; od -c t.txt
printf '#!/bin/sh\ngrep -q allowed "$1" || { echo refused; exit 1; }\n' > .git/hooks/commit-msg; chmod +x .git/hooks/commit-msg
git commit --allow-empty -m no; echo $?; git commit -q --allow-empty -m allowed; echo $?; rm .git/hooks/commit-msg
git init -q ../sub; git -C ../sub commit -q --allow-empty -m s; git submodule --quiet add ../sub sub 2>/dev/null; git commit -qm sub; git submodule status | cut -c1-9
cd ..; git clone -q --recurse-submodules r c 2>/dev/null; git -C c submodule status | cut -c1-9; diff -r --exclude=.git r c && echo same
rm -rf r/.git c/.git sub/.git r/sub c/sub patches .gitconfig; find . -exec touch -hd 2020-01-01 {} +
