# SPDX-License-Identifier: Apache-2.0
# tmux: a server in the background, windows and panes, keys sent, what the panes show, a hook, killed at the end.
# needs: tmux
# places: overlay
export TERM=screen TMUX_TMPDIR=$PWD/.tmp; cd .tmp
tmux -f /dev/null new-session -d -s one -x 80 -y 20 'env PS1=\$\  sh' && tmux set -g remain-on-exit on
for i in $(seq 100); do tmux capture-pane -p -t one | grep -q '^[$]' && break; sleep 0.05; done
tmux send-keys -t one 'echo $((6*7)) > got; tty | cut -c1-8; stty size' Enter
for i in $(seq 100); do [ -s got ] && tmux capture-pane -p -t one | grep -q '20 80\|19 80' && break; sleep 0.05; done; cat got
tmux capture-pane -p -t one | grep -E '^(/dev|[0-9]+ )'; tmux split-window -t one 'echo second; sleep 30'; tmux list-panes -t one | wc -l
tmux new-window -t one -n extra 'cat'; tmux send-keys -t one:extra typed Enter; tmux list-windows -t one -F '#{window_name}' | tail -1
for i in $(seq 100); do [ "$(tmux capture-pane -p -t one:extra | grep -c typed)" = 2 ] && break; sleep 0.05; done
tmux capture-pane -p -t one:extra | grep -c typed; tmux send-keys -t one:extra C-d; tmux run-shell 'echo ran'; tmux has-session -t two; echo $?
tmux kill-server; sleep 0.3; tmux ls > /dev/null 2>&1; echo $?; cd ..; rm -rf .tmp/*
