# SPDX-License-Identifier: Apache-2.0
# A running java is looked into by its own tools: jps, jcmd (version, threads, heap, a collection), which attach by a socket and a
# signal; and what it believes of the machine.
# needs: java javac jcmd jps
# timeout: 240
cd "$1"
export JAVA_TOOL_OPTIONS= TMPDIR="$PWD"
cat > Waits.java <<'J'
public class Waits {
    public static void main(String[] a) throws Exception {
        Thread t = new Thread(() -> { try { Thread.sleep(200000); } catch (InterruptedException e) { } }, "a-named-one");
        t.start();
        System.out.println("ready " + (Runtime.getRuntime().availableProcessors() > 0) + " " +
            (Runtime.getRuntime().maxMemory() > 1 << 20) + " " + (ProcessHandle.current().pid() > 0));
        while (System.in.read() >= 0) { }
        t.interrupt();
        t.join();
        System.out.println("cpu " + (ProcessHandle.current().info().totalCpuDuration().isPresent()));
    }
}
J
javac Waits.java || exit 2
mkfifo in && { java -Xshare:auto Waits < in > out & pid=$!; }
exec 3> in
for _ in $(seq 600); do grep -q ready out && break; sleep 0.1; done
cat out
jps | grep -c Waits
jcmd $pid GC.run | tail -1
printf '%s\n' VM.version Thread.print GC.class_histogram > asked  # by one jcmd, as each is a java
jcmd $pid -f asked > told
for of in 'OpenJDK|JDK' '"a-named-one"' 'java\.lang\.String'; do grep -cE "$of" told > /dev/null && echo "told of $of"; done
exec 3>&-
wait $pid; echo "status $?"; tail -1 out
