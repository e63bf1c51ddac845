# SPDX-License-Identifier: Apache-2.0
# python's sqlite3, dbm, pickle, json, csv, logging, select on many pipes, threads with queues, resource and rlimits.
# needs: python3
cat > .tmp/p.py <<'P'
import csv, dbm.dumb, json, logging, logging.handlers, os, pickle, queue, resource, select, signal, sqlite3, threading
c = sqlite3.connect("db", timeout=20)
c.execute("pragma journal_mode=wal")
c.execute("create table t(a integer primary key, b)")
def writer(k):
    d = sqlite3.connect("db", timeout=20)
    for i in range(20):
        with d:
            d.execute("insert into t(b) values(?)", (k * 100 + i,))
threads = [threading.Thread(target=writer, args=(k,)) for k in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(c.execute("select count(*), sum(b) from t").fetchone(), c.execute("pragma integrity_check").fetchone())
c.close()
with dbm.dumb.open("dumb", "c") as d:
    d.update({str(i): str(i * i) for i in range(50)})
with dbm.dumb.open("dumb") as d:
    print(len(d), d["7"])
pickle.dump({"a": [1, 2.5, None]}, open("pickle", "wb")); print(pickle.load(open("pickle", "rb")))
json.dump(list(range(5)), open("json", "w")); csv.writer(open("csv", "w")).writerows([[1, "a b"], [2, 'q"']])
h = logging.handlers.RotatingFileHandler("log", maxBytes=200, backupCount=3); log = logging.getLogger(); log.addHandler(h)
[log.warning("line %d", i) for i in range(100)]; print(sorted(n for n in os.listdir(".") if n.startswith("log")))
pipes = [os.pipe() for _ in range(100)]; [os.write(w, b"x") for _, w in pipes[::7]]
p = select.poll(); [p.register(r, select.POLLIN) for r, _ in pipes]; print(len(p.poll(0)))
q = queue.Queue(5); got = []
t = threading.Thread(target=lambda: [got.append(q.get()) for _ in range(200)]); t.start(); [q.put(i) for i in range(200)]; t.join()
print(sum(got)); resource.setrlimit(resource.RLIMIT_NOFILE, (220, 300))
try:
    while True: os.open("json", os.O_RDONLY)
except OSError as e: print(e.errno)
os.closerange(3, 300); signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try: open("limited", "wb", buffering=0).write(b"x" * 200); print(os.stat("limited").st_size); open("limited", "ab", 0).write(b"x")
except OSError as e: print(e.errno)
P
python3 .tmp/p.py; rm -f .tmp/p.py db db-*
