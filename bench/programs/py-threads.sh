# SPDX-License-Identifier: Apache-2.0
# Eight threads of Python that hand work on through queues.
exec python3 - <<'P'
import queue, threading, time
work, done = queue.Queue(64), queue.Queue()
def worker():
    while (n := work.get()) is not None:
        done.put(sum(range(n)))
threads = [threading.Thread(target=worker) for _ in range(8)]
start = time.monotonic_ns()
for t in threads: t.start()
for i in range(4000): work.put(i % 100)
for t in threads: work.put(None)
for t in threads: t.join()
assert done.qsize() == 4000
print(time.monotonic_ns() - start)
P
