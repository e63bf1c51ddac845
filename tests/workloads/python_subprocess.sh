# SPDX-License-Identifier: Apache-2.0
# python3: modules, subprocess, threads, files, signals.
# needs: python3
cd "$1" && python3 - <<'P'
import json, os, re, signal, subprocess, tempfile, threading, time, multiprocessing
print(subprocess.check_output(["uname", "-s"]).decode().strip())
with tempfile.TemporaryDirectory() as d:
    for i in range(200):
        open(os.path.join(d, "f%d" % i), "w").write(str(i))
    print(sum(int(open(os.path.join(d, f)).read()) for f in os.listdir(d)))
total = []
threads = [threading.Thread(target=lambda n=n: total.append(n * n)) for n in range(20)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(total)[-1])
signal.signal(signal.SIGALRM, lambda *a: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(0.3)
def work(q, n): q.put(n * 2)
q = multiprocessing.Queue()
ps = [multiprocessing.Process(target=work, args=(q, n)) for n in range(4)]
[p.start() for p in ps]; print(sorted(q.get() for _ in ps)); [p.join() for p in ps]
print(json.dumps({"re": re.sub("a+", "b", "caaat")}))
p = subprocess.Popen(["sleep", "100"]); p.terminate(); print(p.wait())
try: subprocess.run(["/no/such/program"])
except FileNotFoundError as e: print("no file")
P
