# SPDX-License-Identifier: Apache-2.0
# java: compile, a jar, run with threads, files, processes, sockets; jshell-less single source run; exit status and exceptions.
# needs: java javac jar
# timeout: 240
cat > P.java <<'P'
import java.io.*; import java.net.*; import java.nio.*; import java.nio.channels.*; import java.nio.file.*; import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class P { public static void main(String[] a) throws Exception {
  ExecutorService e = Executors.newFixedThreadPool(6); List<Future<Integer>> all = new ArrayList<>(); for (int i = 0; i < 50; i++) { int n = i; all.add(e.submit(() -> n * n)); } int s = 0; for (Future<Integer> f : all) s += f.get(); e.shutdown(); System.out.println(s);
  Path d = Files.createDirectories(Path.of("d/e")); for (int i = 0; i < 20; i++) Files.writeString(d.resolve("f" + i), "text " + i); try (Stream<Path> w = Files.walk(Path.of("d"))) { System.out.println(w.map(Path::toString).sorted().collect(Collectors.joining(" "))); }
  Files.createSymbolicLink(d.resolve("s"), Path.of("f1")); Files.createLink(d.resolve("h"), d.resolve("f2")); Files.move(d.resolve("f3"), d.resolve("moved"), StandardCopyOption.ATOMIC_MOVE); Files.copy(d.resolve("f4"), d.resolve("copy"), StandardCopyOption.COPY_ATTRIBUTES); Files.setLastModifiedTime(d.resolve("f5"), java.nio.file.attribute.FileTime.fromMillis(1000000000123L)); Files.setPosixFilePermissions(d.resolve("f6"), java.nio.file.attribute.PosixFilePermissions.fromString("rw-r-----"));
  try (FileChannel c = FileChannel.open(Path.of("m"), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) { MappedByteBuffer b = c.map(FileChannel.MapMode.READ_WRITE, 0, 10000); b.put(5000, (byte) 65); b.force(); FileLock l = c.lock(); System.out.println(l.isValid() + " " + c.size()); l.release(); }
  Process p = new ProcessBuilder("sh", "-c", "cat; exit 5").start(); p.getOutputStream().write("in\n".getBytes()); p.getOutputStream().close(); System.out.print(new String(p.getInputStream().readAllBytes())); System.out.println(p.waitFor());
  ServerSocket v = new ServerSocket(0, 5, InetAddress.getLoopbackAddress()); Thread t = new Thread(() -> { try (Socket c = v.accept()) { c.getOutputStream().write("hi".getBytes()); } catch (IOException x) { } }); t.start(); try (Socket c = new Socket(v.getInetAddress(), v.getLocalPort())) { System.out.println(new String(c.getInputStream().readAllBytes())); } t.join();
  try { Files.delete(Path.of("d")); } catch (DirectoryNotEmptyException x) { System.out.println(x); } try { Files.readString(Path.of("none")); } catch (NoSuchFileException x) { System.out.println(x); } Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook"))); System.exit(a.length); } }
P
javac P.java && java -Xshare:auto -XX:+UseSerialGC P x y; echo $?; printf 'Main-Class: P\n' > mf
jar cfm p.jar mf P*.class && java -XX:TieredStopAtLevel=1 -jar p.jar > /dev/null; echo $?; jar tf p.jar
unzip -tq p.jar > /dev/null; echo $?
echo 'public class Q { public static void main(String[] a) { throw new IllegalStateException("bad"); } }' > Q.java
java Q.java; echo $?; ls *.class; rm -f *.class p.jar
