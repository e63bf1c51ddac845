# SPDX-License-Identifier: Apache-2.0
# A pool of processes that a thread makes, not the first one: the children are forked in that thread.
# needs: python3
cd "$1" && cat > pool.py <<'P'
import concurrent.futures, multiprocessing, os, threading

def square(n):
    return n * n, len(os.listdir("/proc/self/task"))

def work(results):
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
        results.extend(pool.map(square, range(200), chunksize=7))
    with context.Pool(2) as pool:
        results.extend(pool.map(square, range(200, 300)))

results = []
thread = threading.Thread(target=work, args=(results,))
thread.start()
thread.join(50)
print(thread.is_alive(), len(results), sum(r[0] for r in results))
P
python3 pool.py
