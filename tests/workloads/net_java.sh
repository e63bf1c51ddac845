# SPDX-License-Identifier: Apache-2.0
# java: a server socket and its clients in threads, a channel that does not block with a selector, a port that is refused.
# needs: java javac
# timeout: 180
cd "$1"
cat > N.java << 'END'
import java.io.*; import java.net.*; import java.nio.*; import java.nio.channels.*; import java.util.concurrent.*;
public class N {
    public static void main(String[] a) throws Exception {
        ServerSocket s = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread t = new Thread(() -> { try { for (int i = 0; i < 20; i++) { Socket c = s.accept();
            BufferedReader r = new BufferedReader(new InputStreamReader(c.getInputStream()));
            c.getOutputStream().write(("got " + r.readLine() + "\n").getBytes()); c.close(); } } catch (IOException e) { System.out.println(e); } });
        t.start();
        ExecutorService pool = Executors.newFixedThreadPool(5); int[] right = {0};
        for (int i = 0; i < 20; i++) { final int n = i; pool.submit(() -> { try (Socket c = new Socket("localhost", s.getLocalPort())) {
            c.getOutputStream().write((n + "\n").getBytes());
            String line = new BufferedReader(new InputStreamReader(c.getInputStream())).readLine();
            synchronized (right) { if (line.equals("got " + n)) right[0]++; } } catch (IOException e) { System.out.println(e); } }); }
        pool.shutdown(); pool.awaitTermination(60, TimeUnit.SECONDS); t.join(); s.close();
        System.out.println("right: " + right[0]);
        ServerSocketChannel sc = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0)); sc.configureBlocking(false);
        Selector sel = Selector.open(); sc.register(sel, SelectionKey.OP_ACCEPT);
        SocketChannel c = SocketChannel.open(sc.getLocalAddress()); sel.select(5000);
        SocketChannel p = sc.accept(); c.write(ByteBuffer.wrap("channel".getBytes()));
        p.configureBlocking(false); p.register(sel, SelectionKey.OP_READ); sel.selectedKeys().clear(); sel.select(5000);
        ByteBuffer b = ByteBuffer.allocate(100); System.out.println("read: " + p.read(b));
        int port = ((InetSocketAddress) sc.getLocalAddress()).getPort(); c.close(); p.close(); sc.close(); sel.close();
        try { new Socket("127.0.0.1", port); } catch (ConnectException e) { System.out.println("refused"); }
    }
}
END
javac N.java && java -cp . N
