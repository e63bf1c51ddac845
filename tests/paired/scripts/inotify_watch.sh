# SPDX-License-Identifier: Apache-2.0
# inotifywait: events of a folder while files are made, written, renamed, linked, removed.
# needs: inotifywait
mkdir w; inotifywait -q -m --format '%e %f' w > .tmp/events 2> .tmp/err & p=$!; sleep 1
touch w/a; echo x > w/a; mv w/a w/b; chmod 600 w/b; ln w/b w/c; rm w/c; mkdir w/d; rmdir w/d
cat w/b > /dev/null; rm w/b; truncate -s 5 w/t; sleep 0.5; kill $p; wait $p 2>/dev/null; uniq .tmp/events
cat .tmp/err; rm .tmp/*
(sleep 0.5; echo hi > w/late) & inotifywait -q -e close_write --format '%w %e %f' w; wait
inotifywait -q -t 1 w; echo $?; inotifywait -q nothing; echo $?
