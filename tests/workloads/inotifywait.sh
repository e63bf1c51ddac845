# SPDX-License-Identifier: Apache-2.0
# inotify-tools: a tree that is watched as it changes.
# needs: inotifywait
cd "$1" && mkdir -p tree/a tree/b
waits() {  # until the watcher $1 says that it is ready
    for _ in $(seq 600); do grep -q "Watches established" "$1" && return; sleep 0.1; done
    echo "it does not start"; exit 1
}
ends() {  # until it has told of the end of the name "last"
    for _ in $(seq 600); do grep -q "CLOSE.*last" "$1" && return; sleep 0.1; done
    echo "it tells nothing"; cat "$1"; exit 1
}
inotifywait -m -r --format '%e %w%f' -e create,delete,move,close_write,attrib tree > log 2> err &
watcher=$!
waits err
echo text > tree/a/f
mv tree/a/f tree/b/g
chmod 600 tree/b/g
rm tree/b/g
mkdir tree/c
for _ in $(seq 600); do grep -q "tree/c" log && break; sleep 0.1; done
rmdir tree/c
touch tree/last
ends log
kill $watcher
wait $watcher 2> /dev/null
cat log
inotifywait -q -t 1 -e open tree/a
echo "nothing happened: $?"
