# SPDX-License-Identifier: Apache-2.0
# A server in Go: built here, many goroutines on its netpoller, HTTP on TCP of both families and echo over UDP; its clients
# are in the same program and curl.
# needs: go curl python3
# timeout: 400
cd "$1" && chmod 755 .
export GOCACHE=$PWD/cache GOPATH=$PWD/path GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0 HOME=$PWD
cat > main.go <<'G'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

func main() {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		panic(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d", r.URL.Path, len(b))
	})
	go http.Serve(l, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			host := []string{"127.0.0.1", "[::1]"}[i%2]
			for k := 0; k < 10; k++ {
				r, err := http.Post(fmt.Sprintf("http://%s:%d/%d", host, port, i), "text/plain", strings.NewReader(strings.Repeat("x", 1000*k)))
				if err != nil {
					fmt.Println(err)
					return
				}
				b, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if string(b) == fmt.Sprintf("/%d %d", i, 1000*k) {
					mu.Lock()
					good++
					mu.Unlock()
				}
			}
		}(i)
	}
	wg.Wait()
	fmt.Println("http:", good)
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		b := make([]byte, 2000)
		for {
			n, a, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			u.WriteTo(b[:n], a)
		}
	}()
	c, _ := net.Dial("udp", u.LocalAddr().String())
	b := make([]byte, 2000)
	n := 0
	for i := 0; i < 100; i++ {
		fmt.Fprintf(c, "datagram %d", i)
		k, _ := c.Read(b)
		if string(b[:k]) == fmt.Sprintf("datagram %d", i) {
			n++
		}
	}
	fmt.Println("udp:", n)
	os.WriteFile("port", []byte(fmt.Sprint(port)), 0644)
	buf := make([]byte, 1)
	os.Stdin.Read(buf)
}
G
go build -p 2 -o server main.go; echo "built: $?"
mkfifo stop
./server < stop > out & server=$!
exec 9> stop
for i in $(seq 600); do [ -s port ] && break; sleep 0.1; done
curl -sS --data-binary @main.go "http://127.0.0.1:$(cat port)/from-curl" | cut -d ' ' -f 1
exec 9>&-
wait $server; echo "server: $?"
cat out
