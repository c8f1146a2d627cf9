package main

import (
	"fmt"
	"io"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func serveBackEnd(word string, listener net.Listener, backEnds addresses) error {
	switch word {
	case "grpc-go":
		go healthy().Serve(listener)
	case "h2c":
		go serveHTTP(listener, h2c.NewHandler(healthy(), &http2.Server{}))
	default:
		address, found := backEnds[word]
		if !found {
			return fmt.Errorf("no --back-end %s=ADDRESS is given", word)
		}
		go each(listener, func(client net.Conn) { relay(client, address) })
	}
	return nil
}

func healthy() *grpc.Server {
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	return server
}

// Copies bytes both ways, and closes both connections when either ends.
func relay(client net.Conn, address string) {
	backEnd, err := net.Dial("tcp", address)
	if err != nil {
		client.Close()
		return
	}
	ended := make(chan struct{}, 2)
	copyBytes := func(to, from net.Conn) {
		io.Copy(to, from)
		ended <- struct{}{}
	}
	go copyBytes(backEnd, client)
	go copyBytes(client, backEnd)
	<-ended
	client.Close()
	backEnd.Close()
}
