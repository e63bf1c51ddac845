# SPDX-License-Identifier: Apache-2.0
# sqlite3: WAL with two processes that write at once, a reader beside them, checkpoint, vacuum, integrity.
# needs: sqlite3
sqlite3 db 'pragma journal_mode=wal; create table t(who int, n int, primary key(who, n)) without rowid;'
for who in 1 2; do
    ( for n in $(seq 60); do echo "insert into t values($who, $n);"
done | sqlite3 -cmd '.timeout 20000' db ) &
done
for i in 1 2 3 4 5; do sqlite3 -cmd '.timeout 20000' db 'select count(*) >= 0 from t'; done; wait
sqlite3 db 'select who, count(*), sum(n) from t group by who; pragma integrity_check; pragma wal_checkpoint(truncate);'
sqlite3 db 'pragma journal_mode=delete; vacuum; delete from t where n % 2; vacuum;'
sqlite3 db .dump | md5sum
sqlite3 mem.db "create virtual table if not exists s using fts5(a);" 2>/dev/null
sqlite3 k.db 'create table k(v); begin immediate; insert into k values(1); rollback; select count(*) from k;'
(echo 'begin exclusive;'; echo '.shell touch .tmp/held; until [ -e .tmp/go ]; do sleep 0.05; done'; echo 'commit;') | sqlite3 k.db &
until [ -e .tmp/held ]; do sleep 0.05; done; rm .tmp/held
sqlite3 k.db 'insert into k values(2)' 2>&1; touch .tmp/go; wait; rm .tmp/go; sqlite3 db .dump > dump; rm -f db mem.db k.db
