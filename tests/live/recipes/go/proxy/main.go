// cmux as a proxy: gRPC by header and HTTP/1 beside it, each to its back end.
//
//	serve --grpc ADDRESS --http ADDRESS
//
// It is what one writes with cmux alone to do what `muxbed serve` does: bytes are copied by io.Copy, a half-close is passed
// on, and there is no timeout. It listens on a free port of 127.0.0.1, prints `listening on ADDRESS`, and serves until its
// standard input ends.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/soheilhy/cmux"
)

func main() {
	grpc := flag.String("grpc", "", "the back end of gRPC")
	http := flag.String("http", "", "the back end of HTTP/1")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(2)
	}
	mux := cmux.New(listener)
	// cmux tries its matchers in the order in which they are added.
	go each(mux.MatchWithWriters(cmux.HTTP2MatchHeaderFieldSendSettings("content-type", "application/grpc")), *grpc)
	go each(mux.Match(cmux.HTTP1Fast()), *http)
	go mux.Serve()
	fmt.Println("listening on", listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}

func each(listener net.Listener, address string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go relay(connection, address)
	}
}

func relay(client net.Conn, address string) {
	defer client.Close()
	backEnd, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer backEnd.Close()
	var both sync.WaitGroup
	both.Add(1)
	go func() {
		defer both.Done()
		copyBytes(backEnd, client)
	}()
	copyBytes(client, backEnd)
	both.Wait()
}

func copyBytes(to, from net.Conn) {
	io.Copy(to, from)
	// cmux hides what it has accepted.
	if sniffed, ok := to.(*cmux.MuxConn); ok {
		to = sniffed.Conn
	}
	if stream, ok := to.(*net.TCPConn); ok {
		stream.CloseWrite()
	}
}
