# SPDX-License-Identifier: Apache-2.0
# java: NIO files (copy, move, walk, attributes, watch), channels, locks, maps, zip file systems, in a single source file.
# needs: javac java
# timeout: 240
cat > N.java <<'J'
import java.io.*; import java.net.*; import java.nio.*; import java.nio.channels.*; import java.nio.file.*; import java.nio.file.attribute.*; import java.util.*; import java.util.stream.*;
public class N { static void t(String what, java.util.concurrent.Callable<Object> c) { try { System.out.println(what + " " + c.call()); } catch (Exception e) { System.out.println(what + " " + e.getClass().getSimpleName()); } }
 public static void main(String[] a) throws Exception { Path d = Files.createDirectories(Path.of("a/b/c"));
  for (int i = 0; i < 50; i++) Files.write(d.resolve("f" + i), Collections.nCopies(i, "line " + i));
  try (Stream<Path> s = Files.walk(Path.of("a"))) { System.out.println(s.filter(Files::isRegularFile).mapToLong(p -> p.toFile().length()).sum()); }
  Files.copy(d.resolve("f49"), Path.of("copy"), StandardCopyOption.COPY_ATTRIBUTES); Files.move(Path.of("copy"), Path.of("moved"), StandardCopyOption.ATOMIC_MOVE);
  t("exists", () -> Files.createDirectory(Path.of("a"))); t("full", () -> { Files.delete(Path.of("a")); return 0; }); t("none", () -> Files.size(Path.of("no"))); t("mismatch", () -> Files.mismatch(d.resolve("f49"), Path.of("moved")));
  Files.setPosixFilePermissions(Path.of("moved"), PosixFilePermissions.fromString("rw-r-x--x")); t("mode", () -> PosixFilePermissions.toString(Files.getPosixFilePermissions(Path.of("moved"))));
  Files.createSymbolicLink(Path.of("l"), Path.of("moved")); Files.createLink(Path.of("h"), Path.of("moved")); t("same", () -> Files.isSameFile(Path.of("h"), Path.of("l"))); t("nlink", () -> Files.getAttribute(Path.of("h"), "unix:nlink"));
  try (FileChannel c = FileChannel.open(Path.of("map"), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
   MappedByteBuffer m = c.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 20); for (int i = 0; i < 1 << 20; i += 4) m.putInt(i, i * 31); m.force();
   ByteBuffer b = ByteBuffer.allocate(8); c.read(b, 4096); b.flip(); System.out.println(b.getInt() == 4096 * 31); try (FileLock k = c.lock(10, 20, false)) { System.out.println(k.isValid()); }
   try (FileChannel o = FileChannel.open(Path.of("out"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) { System.out.println(c.transferTo(100, 500000, o)); } c.truncate(5000); System.out.println(c.size()); }
  try (WatchService w = FileSystems.getDefault().newWatchService()) { Path.of("a").register(w, StandardWatchEventKinds.ENTRY_CREATE); Files.createFile(Path.of("a/new")); WatchKey k = w.take(); System.out.println(k.pollEvents().get(0).context()); }
  try (FileSystem z = FileSystems.newFileSystem(URI.create("jar:" + Path.of("z.zip").toUri()), Map.of("create", "true"))) { Files.copy(Path.of("moved"), z.getPath("/inside")); }
  try (FileSystem z = FileSystems.newFileSystem(Path.of("z.zip"), (ClassLoader) null)) { System.out.println(Files.size(z.getPath("/inside"))); }
  try (RandomAccessFile r = new RandomAccessFile("raf", "rwd")) { r.setLength(100000); r.seek(99999); r.write(7); r.seek(0); r.writeUTF("text"); r.seek(0); System.out.println(r.readUTF() + r.length()); }
  Files.delete(Path.of("z.zip")); try (Stream<Path> s = Files.list(d)) { System.out.println(s.map(p -> p.getFileName().toString()).sorted().limit(5).collect(Collectors.toList())); } } }
J
javac N.java 2>/dev/null && java -XX:TieredStopAtLevel=1 -Xshare:auto N; echo $?; rm -f *.class; find . -exec touch -hd 2020-01-01 {} +
