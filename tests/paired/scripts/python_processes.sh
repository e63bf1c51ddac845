# SPDX-License-Identifier: Apache-2.0
# python: multiprocessing (pool, queue, shared memory, manager), subprocess, signals, os.fork, concurrent.futures.
# places: overlay
# needs: python3
cat > .tmp/p.py <<'P'
import concurrent.futures, multiprocessing as mp, os, signal, subprocess, sys, time
from multiprocessing import shared_memory
def square(n): return n * n
def put(q, n): q.put((n, os.getpid() != os.getppid()))
def add(v, lock, n):
    for _ in range(n):
        with lock: v.value += 1
if __name__ == "__main__":
    for way in ("fork", "spawn", "forkserver"):
        ctx = mp.get_context(way)
        with ctx.Pool(3) as pool: print(way, sum(pool.map(square, range(200))))
    q = mp.Queue(); ps = [mp.Process(target=put, args=(q, i)) for i in range(4)]
    [p.start() for p in ps]; print(sorted(q.get() for _ in ps)); [p.join() for p in ps]; print([p.exitcode for p in ps])
    v, lock = mp.Value("i", 0, lock=False), mp.Lock(); ps = [mp.Process(target=add, args=(v, lock, 300)) for _ in range(3)]
    [p.start() for p in ps]; [p.join() for p in ps]; print(v.value)
    m = shared_memory.SharedMemory(create=True, size=10000); m.buf[:3] = b"abc"
    print(subprocess.run([sys.executable, "-c", "from multiprocessing import shared_memory as s, resource_tracker as r\n"
        "m = s.SharedMemory(%r); print(bytes(m.buf[:3])); r.unregister(m._name, 'shared_memory')" % m.name], capture_output=True).stdout)
    m.close(); m.unlink()
    with mp.Manager() as man:
        d = man.dict(); ps = [mp.Process(target=d.__setitem__, args=(i, i * i)) for i in range(5)]
        [p.start() for p in ps]; [p.join() for p in ps]; print(sorted(d.items()))
    with concurrent.futures.ProcessPoolExecutor(2) as e: print(list(e.map(square, range(10))))
    with concurrent.futures.ThreadPoolExecutor(8) as e: print(sum(e.map(square, range(500))))
    p = subprocess.Popen(["sleep", "30"]); p.terminate(); print(p.wait())
    p = subprocess.Popen(["sh", "-c", "kill -STOP $$; exit 7"]); print(os.WIFSTOPPED(os.waitpid(p.pid, os.WUNTRACED)[1]))
    p.send_signal(signal.SIGCONT); print(p.wait())
    try: subprocess.run(["sleep", "9"], timeout=0.2)
    except subprocess.TimeoutExpired: print("timed out")
    try: subprocess.run(["./nothing"])
    except FileNotFoundError as e: print(e)
    print(subprocess.run("exit 3", shell=True).returncode, subprocess.getoutput("echo a | tr a b"))
    r, w = os.pipe(); pid = os.fork()
    if pid == 0: os.write(w, b"child"); os._exit(5)
    print(os.read(r, 10), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(0.2)
    print(signal.sigtimedwait([signal.SIGUSR1], 0.01)); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1); print(signal.sigwaitinfo([signal.SIGUSR1]).si_signo == signal.SIGUSR1)
    print(os.posix_spawn("/bin/true", ["true"], {}) > 0, os.wait()[1])
P
python3 .tmp/p.py; rm -f .tmp/p.py
