# SPDX-License-Identifier: Apache-2.0
# needs: tmux
# tmux: a server with windows and panes on ptys of their own, keys sent to them, what they show, resizing, the end of each.
cd "$1"
export LC_ALL=C.UTF-8 SHELL=/bin/sh TERM=screen; unset TMUX
t() { tmux -S "$PWD/socket" -f /dev/null "$@"; }
wait_for() { for _ in $(seq 200); do t capture-pane -pt "$1" | grep -q "$2" && return; sleep 0.05; done; echo "no $2"; }
in_front() { for _ in $(seq 200); do [ "$(t display -pt "$1" '#{pane_current_command}')" = "$2" ] && return; sleep 0.05; done; echo "no $2"; }
t new-session -d -s one -n first -x 70 -y 20 'sh -i'
t send-keys -t one 'echo $((6*7))answer; stty size' Enter
wait_for one 42answer; wait_for one '[0-9] 70'
t capture-pane -pt one | grep -o '42answer' | tail -1
t split-window -t one -h 'cat'
t list-panes -t one -F '#{pane_index} #{pane_width}'
t send-keys -t one.1 'typed' Enter; for _ in $(seq 100); do [ "$(t capture-pane -pt one.1 | grep -c typed)" = 2 ] && break; sleep 0.05; done; t capture-pane -pt one.1 | grep -c typed
t send-keys -t one.1 C-d; for _ in $(seq 100); do [ "$(t list-panes -t one | wc -l)" = 1 ] && break; sleep 0.05; done; t list-panes -t one | wc -l
t send-keys -t one 'sleep 100' Enter; wait_for one 'sleep 100'; in_front one sleep; t send-keys -t one C-c; t send-keys -t one 'echo st$?atus' Enter; wait_for one st130atus; t capture-pane -pt one | grep -x st130atus
t new-window -d -t one -n two 'sleep 100'; t list-windows -t one -F '#{window_name}'
t kill-server; for _ in $(seq 100); do t list-sessions > /dev/null 2>&1 || break; sleep 0.05; done; t list-sessions 2>&1 | grep -c 'no server\|error connecting'
